"""risk: how likely it is that a refund should not be made, from 0 to 100, and why.

A message is {"order", "amount", "paid", "reason", "earlier"}: cents, the customer's words, and how
many refunds he had before."""
import swarm

agent = swarm.Agent()
SUSPICIOUS = ("ignore", "instruction", "system prompt", "administrator", "budget")


def findings(wish: dict):
    """Each thing that speaks against it, with its weight."""
    reason = wish["reason"].lower()
    if wish["earlier"] > 0:
        yield 25 * wish["earlier"], f"{wish['earlier']} refunds before"
    if wish["amount"] == wish["paid"] and wish["paid"] > 20000:
        yield 20, "all of a large order"
    if len(reason.split()) < 3:
        yield 15, "hardly a reason"
    if any(word in reason for word in SUSPICIOUS):
        yield 90, "the reason speaks to a machine"


@agent.on_message
def check(message: swarm.Message) -> dict:
    found = list(findings(message.json))
    return {"score": min(100, sum(weight for weight, _ in found)),
            "reasons": [why for _, why in found] or ["nothing speaks against it"]}


agent.run()
