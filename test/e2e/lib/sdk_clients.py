"""The official libraries of OpenAI and Anthropic against an address that is said to be theirs: what
a program does with them that was written for them. Run by test/e2e/model_clients.py with the Python
that has them; prints a line for each thing that went as the library promises.

Arguments: base address of the gateway, file of the authority, file of certificate and key."""
import ssl
import sys

import anthropic
import httpx2
import openai
from pydantic import BaseModel

BASE, AUTHORITY, IDENTITY = sys.argv[1:]


def http():
    tls = ssl.create_default_context(cafile=AUTHORITY)
    tls.load_cert_chain(IDENTITY)
    return httpx2.Client(verify=tls, trust_env=False, timeout=30)


class Sum(BaseModel):
    left: int
    right: int


OPENAI = openai.OpenAI(api_key="none", base_url=BASE + "/openai/v1", http_client=http())
CLAUDE = anthropic.Anthropic(api_key="none", base_url=BASE + "/anthropic", http_client=http())
HELLO = [{"role": "user", "content": "hello there"}]
TOOL = {"name": "add", "description": "adds", "parameters": Sum.model_json_schema()}


def good(name, value, wanted):
    if value != wanted:
        raise SystemExit(f"{name}: {value!r} instead of {wanted!r}")
    print(name, flush=True)


def openai_chat(model):
    whole = OPENAI.chat.completions.create(model=model, messages=HELLO)
    good(f"chat {model}", whole.choices[0].message.content, "You said: hello there")
    good(f"usage {model}", whole.usage.completion_tokens, 4)
    stream = OPENAI.chat.completions.create(model=model, messages=HELLO, stream=True,
                                            stream_options={"include_usage": True})
    chunks = list(stream)
    good(f"chat stream {model}", "".join(chunk.choices[0].delta.content or "" for chunk in chunks
                                         if chunk.choices), "You said: hello there")
    good(f"chat stream usage {model}", chunks[-1].usage.completion_tokens, 4)


def openai_tools(model):
    tools = [{"type": "function", "function": TOOL}]
    whole = OPENAI.chat.completions.create(model=model, messages=HELLO, tools=tools)
    call = whole.choices[0].message.tool_calls[0]
    good(f"tool {model}", (call.function.name, Sum.model_validate_json(call.function.arguments)),
         ("add", Sum(left=1, right=2)))
    more = HELLO + [whole.choices[0].message.model_dump(exclude_none=True),
                    {"role": "tool", "tool_call_id": call.id, "content": "3 it is"}]
    whole = OPENAI.chat.completions.create(model=model, messages=more, tools=tools)
    good(f"tool result {model}", whole.choices[0].message.content, "You said: 3 it is")
    with OPENAI.chat.completions.stream(model=model, messages=HELLO, tools=tools) as stream:
        call = stream.get_final_completion().choices[0].message.tool_calls[0]
    good(f"tool stream {model}", Sum.model_validate_json(call.function.arguments),
         Sum(left=1, right=2))


def openai_responses(model):
    whole = OPENAI.responses.create(model=model, input="hello there")
    good(f"responses {model}", whole.output_text, "You said: hello there")
    with OPENAI.responses.stream(model=model, input="hello there") as stream:
        deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
        good(f"responses stream {model}", "".join(deltas), "You said: hello there")
        good(f"responses final {model}", stream.get_final_response().output_text,
             "You said: hello there")


def claude(model):
    whole = CLAUDE.messages.create(model=model, max_tokens=50, messages=HELLO)
    good(f"messages {model}", whole.content[0].text, "You said: hello there")
    good(f"messages usage {model}", whole.usage.output_tokens, 4)
    with CLAUDE.messages.stream(model=model, max_tokens=50, messages=HELLO) as stream:
        good(f"messages stream {model}", "".join(stream.text_stream), "You said: hello there")
        good(f"messages final {model}", stream.get_final_message().stop_reason, "end_turn")


def claude_tools(model):
    tools = [{"name": "add", "description": "adds", "input_schema": Sum.model_json_schema()}]
    whole = CLAUDE.messages.create(model=model, max_tokens=50, messages=HELLO, tools=tools)
    good(f"messages tool {model}", (whole.stop_reason, whole.content[0].input),
         ("tool_use", {"left": 1, "right": 2}))
    more = HELLO + [{"role": "assistant", "content": whole.content},
                    {"role": "user", "content": [{"type": "tool_result", "content": "3 it is",
                                                  "tool_use_id": whole.content[0].id}]}]
    whole = CLAUDE.messages.create(model=model, max_tokens=50, messages=more, tools=tools)
    good(f"messages tool result {model}", whole.content[0].text, "You said: 3 it is")


def refusals():
    for client, error in ((OPENAI.chat.completions, openai), (CLAUDE.messages, anthropic)):
        try:
            client.create(model="nothing", messages=HELLO, max_tokens=5)
        except error.NotFoundError as refused:
            good(f"{error.__name__}.NotFoundError", "nothing" in str(refused), True)
    try:
        OPENAI.with_options(max_retries=0).chat.completions.create(model="poor", messages=HELLO)
    except openai.RateLimitError as refused:
        good("openai.RateLimitError", "$0.5" in str(refused), True)


def main():
    good("openai models", {"chatty", "claudy"} <= {item.id for item in OPENAI.models.list()}, True)
    good("anthropic models", {"chatty", "claudy"} <= {item.id for item in CLAUDE.models.list()},
         True)
    for model in ("chatty", "claudy"):
        openai_chat(model)
        openai_responses(model)
        claude(model)
        openai_tools(model + "-tools")
        claude_tools(model + "-tools")
    vectors = OPENAI.embeddings.create(model="vectors", input=["abc"], encoding_format="float")
    good("embeddings", vectors.data[0].embedding, [3.0, 0.5, -1.0])
    refusals()
    print("all", flush=True)


main()
