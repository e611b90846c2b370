"""A program of OpenAI's library; nothing in it knows of Swarm."""
import json
import sys

from openai import OpenAI

client = OpenAI()
request = {"model": "smol", "max_tokens": 24, "temperature": 0,
           "messages": [{"role": "user", "content": sys.stdin.read()}]}
whole = client.chat.completions.create(**request)
pieces, usage = [], None
for chunk in client.chat.completions.create(stream=True, stream_options={"include_usage": True},
                                            **request):
    pieces += [choice.delta.content or "" for choice in chunk.choices]
    usage = chunk.usage or usage
print(json.dumps({"whole": whole.choices[0].message.content, "pieces": pieces,
                  "usages": [whole.usage.model_dump(), usage.model_dump()]}))
