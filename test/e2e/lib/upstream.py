"""A provider of models that does as it is told: the protocols of OpenAI (chat completions,
responses, embeddings) and Anthropic (messages) to the letter, and each mistake that a provider can
make on its way.

What it says follows from what it is asked, so that tests can tell: the text is "You said: " and the
last text of the user. It counts a token for each four bytes that it reads and for each word that it
says, and remembers what it would put on the bill (`billed`), whatever it reports.

A step says how the next request is answered; without one all goes well:
    status, headers, body   this, instead of an answer; headers such as {"retry-after": "1"}
    text, tool, arguments   what is said, or the tool that is called
    delay_s                 before the first byte; token_s before each word of a stream
    cut                     the connection ends after so many events of a stream, or bytes of a body
    usage                   (input, output) that is reported; None: nothing is
    gate                    a threading.Event that is waited for before the first byte
    words                   how many words are said
A step may be a function of the request that returns one."""
import asyncio
import collections
import json
import math
import threading

READ_BYTES_MAX = 16 << 20
REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found",
           429: "Too Many Requests", 500: "Internal Server Error", 503: "Service Unavailable",
           529: "Overloaded"}


class Request:
    def __init__(self, method, path, headers, body):
        self.method, self.path, self.headers, self.body = method, path, headers, body
        try:
            self.json = json.loads(body) if body else {}
        except ValueError:
            self.json = {}
        self.key = headers.get("x-api-key") or headers.get("authorization", "")[len("Bearer "):]
        self.gone = False  # The client went before it had its answer.

    def texts(self):
        """All texts that a model would read, in order."""
        found = []

        def walk(value):
            if isinstance(value, str):
                found.append(value)
            elif isinstance(value, list):
                for item in value:
                    walk(item)
            elif isinstance(value, dict):
                walk(value.get("text") or value.get("content") or value.get("output") or [])

        for name in ("system", "instructions", "messages", "input"):
            walk(self.json.get(name, []))
        return found


def tokens(request):
    return sum(math.ceil(len(text.encode()) / 4) for text in request.texts())


class Answer:
    """What is said to one request, in the four forms that it can have."""

    def __init__(self, request, step, number):
        self.request, self.step, self.number = request, step, number
        self.model = request.json.get("model", "")
        texts = request.texts()
        said = step.get("text", "You said: " + (texts[-1] if texts else ""))
        if "words" in step:
            said = " ".join(f"word{i}" for i in range(step["words"]))
        self.words = [word + " " for word in said.split(" ")]
        self.words[-1] = self.words[-1][:-1]
        limit = request.json.get("max_tokens") or request.json.get("max_completion_tokens") or \
            request.json.get("max_output_tokens") or len(self.words)
        self.is_cut = len(self.words) > limit
        self.words = self.words[:limit]
        self.text = "".join(self.words)
        self.tool = step.get("tool")
        self.arguments = json.dumps(step.get("arguments", {}))
        self.counts = (tokens(request), len(self.words))
        self.usage = step.get("usage", self.counts)

    def chat_usage(self):
        return {"prompt_tokens": self.usage[0], "completion_tokens": self.usage[1],
                "total_tokens": sum(self.usage)}

    def chat_finish(self):
        return "tool_calls" if self.tool else "length" if self.is_cut else "stop"

    def chat_calls(self, **more):
        return [{"id": f"call_{self.number}", "type": "function",
                 "function": {"name": self.tool, "arguments": self.arguments}, **more}]

    def chat(self):
        message = {"role": "assistant", "content": None if self.tool else self.text,
                   "refusal": None}
        if self.tool:
            message["tool_calls"] = self.chat_calls()
        whole = {"id": f"chatcmpl-{self.number}", "object": "chat.completion",
                 "created": 1700000000, "model": self.model, "choices": [
                     {"index": 0, "message": message, "logprobs": None,
                      "finish_reason": self.chat_finish()}]}
        if self.usage:
            whole["usage"] = self.chat_usage()
        return whole

    def chat_events(self):
        def chunk(delta, finish=None, **more):
            return None, {"id": f"chatcmpl-{self.number}", "object": "chat.completion.chunk",
                          "created": 1700000000, "model": self.model, "choices": [
                              {"index": 0, "delta": delta, "finish_reason": finish}], **more}

        yield chunk({"role": "assistant", "content": ""})
        if self.tool:
            yield chunk({"tool_calls": self.chat_calls(index=0)})
        else:
            for word in self.words:
                yield chunk({"content": word})
        yield chunk({}, self.chat_finish())
        if self.usage and self.request.json.get("stream_options", {}).get("include_usage"):
            last = chunk({}, usage=self.chat_usage())
            last[1]["choices"] = []
            yield last
        yield None, "[DONE]"

    def messages_stop(self):
        return "tool_use" if self.tool else "max_tokens" if self.is_cut else "end_turn"

    def messages_block(self):
        if self.tool:
            return {"type": "tool_use", "id": f"toolu_{self.number}", "name": self.tool,
                    "input": json.loads(self.arguments)}
        return {"type": "text", "text": self.text}

    def messages_usage(self, output):
        return {"input_tokens": self.usage[0], "output_tokens": output} if self.usage else {}

    def messages(self):
        return {"id": f"msg_{self.number}", "type": "message", "role": "assistant",
                "model": self.model, "content": [self.messages_block()],
                "stop_reason": self.messages_stop(), "stop_sequence": None,
                "usage": self.messages_usage(self.usage[1] if self.usage else 0)}

    def messages_events(self):
        start = self.messages()
        start |= {"content": [], "stop_reason": None, "usage": self.messages_usage(1)}
        yield "message_start", {"message": start}
        block = self.messages_block() | ({"input": {}} if self.tool else {"text": ""})
        yield "content_block_start", {"index": 0, "content_block": block}
        yield "ping", {}
        if self.tool:
            half = len(self.arguments) // 2
            for part in (self.arguments[:half], self.arguments[half:]):
                yield "content_block_delta", {
                    "index": 0, "delta": {"type": "input_json_delta", "partial_json": part}}
        else:
            for word in self.words:
                yield "content_block_delta", {
                    "index": 0, "delta": {"type": "text_delta", "text": word}}
        yield "content_block_stop", {"index": 0}
        yield "message_delta", {
            "delta": {"stop_reason": self.messages_stop(), "stop_sequence": None},
            "usage": {"output_tokens": self.usage[1]} if self.usage else {}}
        yield "message_stop", {}

    def responses_item(self, status="completed"):
        if self.tool:
            return {"type": "function_call", "id": f"fc_{self.number}", "status": status,
                    "call_id": f"call_{self.number}", "name": self.tool,
                    "arguments": self.arguments if status == "completed" else ""}
        content = [{"type": "output_text", "text": self.text, "annotations": []}]
        return {"type": "message", "id": f"item_{self.number}", "status": status,
                "role": "assistant", "content": content if status == "completed" else []}

    def responses(self, status=None):
        status = status or ("incomplete" if self.is_cut else "completed")
        is_over = status != "in_progress"
        whole = {"id": f"resp_{self.number}", "object": "response", "created_at": 1700000000,
                 "status": status, "model": self.model, "error": None, "instructions": None,
                 "incomplete_details": {"reason": "max_output_tokens"} if self.is_cut else None,
                 "metadata": {}, "parallel_tool_calls": True, "temperature": 1.0, "top_p": 1.0,
                 "tool_choice": "auto", "tools": self.request.json.get("tools", []),
                 "output": [self.responses_item()] if is_over else [], "usage": None}
        if is_over and self.usage:
            whole["usage"] = {
                "input_tokens": self.usage[0], "input_tokens_details": {"cached_tokens": 0},
                "output_tokens": self.usage[1], "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": sum(self.usage)}
        return whole

    def responses_events(self):
        item = self.responses_item()["id"]
        where = {"item_id": item, "output_index": 0}
        text = where | {"content_index": 0}
        yield "response.created", {"response": self.responses("in_progress")}
        yield "response.in_progress", {"response": self.responses("in_progress")}
        yield "response.output_item.added", {
            "output_index": 0, "item": self.responses_item("in_progress")}
        if self.tool:
            yield "response.function_call_arguments.delta", where | {"delta": self.arguments}
            yield "response.function_call_arguments.done", where | {"arguments": self.arguments}
        else:
            part = {"type": "output_text", "text": "", "annotations": []}
            yield "response.content_part.added", text | {"part": part}
            for word in self.words:
                yield "response.output_text.delta", text | {"delta": word, "logprobs": []}
            yield "response.output_text.done", text | {"text": self.text, "logprobs": []}
            yield "response.content_part.done", text | {"part": part | {"text": self.text}}
        yield "response.output_item.done", {"output_index": 0, "item": self.responses_item()}
        whole = self.responses()
        yield "response." + whole["status"], {"response": whole}

    def embeddings(self):
        texts = self.request.texts()
        data = [{"object": "embedding", "index": i, "embedding": [float(len(text)), 0.5, -1.0]}
                for i, text in enumerate(texts)]
        usage = {"prompt_tokens": self.counts[0], "total_tokens": self.counts[0]}
        return {"object": "list", "data": data, "model": self.model, "usage": usage}


APIS = {"/v1/chat/completions": "chat", "/v1/responses": "responses",
        "/v1/embeddings": "embeddings", "/v1/messages": "messages"}


class Upstream:
    """Listens on a port of its own from start() to stop(); used as a context manager."""

    def __init__(self, key=None):
        self.key = key  # Others are refused; None: any is right.
        self.steps = collections.deque()
        self.requests, self.billed = [], collections.Counter()
        self.connections = self.number = self.open = self.open_max = 0
        self.url = self.loop = self.server = self.thread = None
        self.lock = threading.Lock()

    def __enter__(self):
        ready = threading.Event()
        self.thread = threading.Thread(target=self.run, args=(ready,))
        self.thread.start()
        ready.wait()
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()

    def script(self, *steps):
        self.steps.extend(steps)

    def run(self, ready):
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)
        self.server = self.loop.run_until_complete(
            asyncio.start_server(self.serve, "127.0.0.1", 0, limit=READ_BYTES_MAX))
        self.url = "http://127.0.0.1:%d" % self.server.sockets[0].getsockname()[1]
        ready.set()
        self.loop.run_forever()
        self.server.close()
        tasks = asyncio.all_tasks(self.loop)
        for task in tasks:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self.loop.close()

    async def serve(self, reader, writer):
        self.connections += 1
        try:
            while (request := await self.read(reader)) is not None:
                with self.lock:
                    self.requests.append(request)
                    self.number += 1
                    number = self.number
                    self.open += 1
                    self.open_max = max(self.open_max, self.open)
                try:
                    await self.answer(request, writer, number)
                finally:
                    self.open -= 1
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    @staticmethod
    async def read(reader):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        first, *lines = head.decode("latin-1").rstrip().split("\r\n")
        method, path, _ = first.split(" ")
        headers = {name.lower(): value.strip()
                   for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        return Request(method, path, headers, body)

    async def answer(self, request, writer, number):
        step = self.steps.popleft() if self.steps else {}
        step = step(request) if callable(step) else step
        api = APIS.get(request.path)
        if "gate" in step:
            await self.loop.run_in_executor(None, step["gate"].wait)
        await asyncio.sleep(step.get("delay_s", 0))
        if self.key is not None and request.key != self.key:
            step = {"status": 401}
        if api is None or request.method != "POST":
            step = {"status": 404}
        if "status" in step or "body" in step:
            return await self.send_whole(writer, step, step.get("body", self.error(api, step)))
        answer = Answer(request, step, number)
        if request.json.get("stream") and api != "embeddings":
            return await self.send_stream(request, writer, answer, getattr(answer, api + "_events"))
        self.bill(answer, len(answer.words) if api != "embeddings" else 0)
        return await self.send_whole(writer, step, json.dumps(getattr(answer, api)()).encode())

    def bill(self, answer, output):
        self.billed.update(input=answer.counts[0], output=output, calls=1)

    @staticmethod
    def error(api, step):
        words = REASONS.get(step.get("status", 200), "Error").lower()
        kind = words.replace(" ", "_") + "_error"
        if api == "messages":
            return json.dumps({"type": "error", "error": {"type": kind, "message": words}}).encode()
        return json.dumps({"error": {"message": words, "type": kind, "param": None,
                                     "code": None}}).encode()

    @staticmethod
    async def send_whole(writer, step, body):
        status = step.get("status", 200)
        headers = {"content-type": "application/json", "content-length": str(len(body))}
        headers |= step.get("headers", {})
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(f"HTTP/1.1 {status} {REASONS.get(status, 'Other')}\r\n{lines}\r\n".encode())
        if "cut" in step:
            writer.write(body[:step["cut"]])
            await writer.drain()
            raise ConnectionResetError
        for at in range(0, len(body), 1 << 20):
            writer.write(body[at:at + (1 << 20)])
            await writer.drain()

    async def send_stream(self, request, writer, answer, events):
        step, said = answer.step, 0
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
                     b"transfer-encoding: chunked\r\n\r\n")
        try:
            for at, (name, data) in enumerate(events()):
                if step.get("cut") == at:
                    raise ConnectionResetError
                is_word = "delta" in (name or "delta")
                if is_word and "token_s" in step:
                    await asyncio.sleep(step["token_s"])
                if writer.is_closing():
                    raise ConnectionResetError
                said += is_word
                if name is not None:
                    extra = {"sequence_number": at} if name.startswith("response.") else {}
                    data = {"type": name} | data | extra
                text = data if isinstance(data, str) else json.dumps(data)
                line = (f"event: {name}\n" if name else "") + f"data: {text}\n\n"
                writer.write(f"{len(line.encode()):x}\r\n{line}\r\n".encode())
                await writer.drain()
            writer.write(b"0\r\n\r\n")
            await writer.drain()
        except OSError:
            request.gone = "cut" not in step
            raise
        finally:
            self.bill(answer, min(said, len(answer.words)))


if __name__ == "__main__":
    with Upstream() as upstream:
        print(upstream.url, flush=True)
        threading.Event().wait()
