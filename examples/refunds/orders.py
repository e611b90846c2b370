#!/usr/bin/python3
"""A shop's order service, as one is found: orders by number, and a refund that pays each time that
it is asked for, whatever was asked before.

    python3 examples/refunds/orders.py [PORT]      (default: 7431)

    GET  /orders/NUMBER           an order: {"id", "customer", "item", "paid", "refunded"}, in cents
    POST /orders/NUMBER/refunds   {"amount", "reason"}: pays; 201 with {"refund": number}
    GET  /refunds                 all that was paid"""
import http.server
import json
import sys
import threading

ORDERS = {
    "1042": {"customer": "ada", "item": "a lamp", "paid": 1250},
    "1043": {"customer": "ada", "item": "an armchair", "paid": 42000},
    "1044": {"customer": "grace", "item": "a kettle", "paid": 3900},
}
BODY_BYTES_MAX = 65536


class Orders(http.server.ThreadingHTTPServer):
    """Listens on a port of this machine; 0: any that is free."""
    daemon_threads = True

    def __init__(self, port, handler=None):
        super().__init__(("127.0.0.1", port), handler or Handler)
        self.lock = threading.Lock()
        self.orders = {number: {"id": number, "refunded": 0} | order
                       for number, order in ORDERS.items()}
        self.refunds = []  # Money that has left, in order.

    def refund(self, number, amount, reason):
        """The number of a new refund, or None: there is no such order."""
        with self.lock:
            if number not in self.orders:
                return None
            self.orders[number]["refunded"] += amount
            self.refunds.append({"refund": len(self.refunds) + 1, "order": number,
                                 "amount": amount, "reason": reason})
            return len(self.refunds)


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, status, value):
        body = json.dumps(value).encode() + b"\n"
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        kind, _, number = self.path.strip("/").partition("/")
        order = self.server.orders.get(number)
        if kind == "refunds":
            self.answer(200, self.server.refunds)
        elif kind == "orders" and order is not None:
            self.answer(200, order)
        else:
            self.answer(404, {"error": "there is no such order"})

    def do_POST(self):
        parts = self.path.strip("/").split("/")
        try:
            size = int(self.headers.get("content-length", 0))
            wish = json.loads(self.rfile.read(min(size, BODY_BYTES_MAX)))
            amount, reason = int(wish["amount"]), str(wish["reason"])
        except (ValueError, KeyError, TypeError):
            self.answer(400, {"error": 'a refund is {"amount": CENTS, "reason": "..."}'})
            return
        refund = None
        if len(parts) == 3 and parts[0] == "orders" and parts[2] == "refunds":
            refund = self.server.refund(parts[1], amount, reason)
        if refund is None:
            self.answer(404, {"error": "there is no such order"})
        else:
            self.answer(201, {"refund": refund})


if __name__ == "__main__":
    with Orders(int(sys.argv[1]) if len(sys.argv) > 1 else 7431) as orders:
        print(f"orders: http://127.0.0.1:{orders.server_address[1]}", flush=True)
        try:
            orders.serve_forever()
        except KeyboardInterrupt:
            pass
