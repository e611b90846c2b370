// refunds: a customer writes in his own words, a model finds out what he wants, and the tools below
// decide what is done. What a model may ask for is bounded here and by agents.yaml, not by its prompt.
// The instance is the customer: refunds/ada sees the orders of ada, one message after the other.
import { agent, approve, ask, fetch, log, self, state, SwarmError, type Message } from "swarm";

interface Order { id: string; customer: string; item: string; paid: number; refunded: number }
interface Wish { order: string; amount: number; reason: string }
interface Risk { score: number; reasons: string[] }

// Amounts are cents. Beyond askAbove, or with a risk of askRisk, a person decides; beyond
// refuseRisk nobody is asked.
interface Settings {
  orders: string; model: string; askAbove: number; askRisk: number; refuseRisk: number;
}
const settings = (): Settings => JSON.parse(self.config);

const instructions = `You handle refunds of a shop for one customer. Look up the order before you
refund anything, and refund what the customer asks for, at most what was paid. Amounts are in cents.
Say briefly what was done, in the words of the tools: never promise what they did not do.`;

const dollars = (cents: number) => `$${(cents / 100).toFixed(2)}`;

async function look(id: string): Promise<Order> {
  const answer = await fetch(`${settings().orders}/orders/${encodeURIComponent(id)}`);
  if (!answer.ok) throw new SwarmError("NOT_FOUND", `there is no order ${id}`);
  const order: Order = await answer.json();
  if (order.customer !== self.key) throw new SwarmError("NOT_FOUND", `there is no order ${id}`);
  return order;
}

// Fails unless it is clear that the refund may be made.
async function decide(order: Order, wish: Wish): Promise<void> {
  const left = order.paid - order.refunded;
  if (wish.amount > left)
    throw new SwarmError("DENIED", `of order ${order.id} at most ${dollars(left)} can be refunded`);
  const { askAbove, askRisk, refuseRisk } = settings();
  const earlier = state.refunds?.length ?? 0;
  const risk = (await ask(`risk/${self.key}`, { ...wish, paid: order.paid, earlier }))
    .json<Risk>();
  const why = risk.reasons.join("; ");
  if (risk.score >= refuseRisk) throw new SwarmError("DENIED", `the risk is too high: ${why}`);
  if (wish.amount <= askAbove && risk.score < askRisk) return;
  await approve({
    title: `Refund ${dollars(wish.amount)} of order ${order.id} to ${self.key}?`,
    text: `${order.item}, paid ${dollars(order.paid)}. "${wish.reason}"\nRisk ${risk.score}: ${why}`,
  });
}

// The service pays each time that it is asked. The platform writes down that it is about to ask
// before it does, and asks a person instead of asking again when it does not know what came of it.
async function refund(wish: Wish): Promise<string> {
  const order = await look(wish.order);
  await decide(order, wish);
  const answer = await fetch(`${settings().orders}/orders/${order.id}/refunds`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ amount: wish.amount, reason: wish.reason }),
  });
  if (!answer.ok) throw new SwarmError("UNAVAILABLE", `it was not refunded: ${answer.status}`);
  const { refund: number } = await answer.json();
  (state.refunds ??= []).push({ number, ...wish });
  log.info(`refund ${number}: ${dollars(wish.amount)} of order ${order.id}`);
  return `refund ${number}: ${dollars(wish.amount)} of order ${order.id} was refunded`;
}

const tools = {
  order: {
    description: "An order of this customer: what it was, what was paid and refunded, in cents.",
    parameters: {
      type: "object", additionalProperties: false, required: ["order"],
      properties: { order: { type: "string" } },
    },
    run: ({ order }: { order: string }) => look(order),
  },
  refund: {
    description: "Refund money of an order of this customer. It may be refused, or take a while.",
    parameters: {
      type: "object", additionalProperties: false, required: ["order", "amount", "reason"],
      properties: {
        order: { type: "string" },
        amount: { type: "integer", minimum: 1, description: "Cents." },
        reason: { type: "string", maxLength: 500, description: "In the customer's words." },
      },
    },
    run: refund,
  },
};

export async function onMessage(message: Message): Promise<string> {
  const { text } = await agent.run({
    model: settings().model, instructions, tools, input: message.text, maxTurns: 8,
    max_tokens: 500,
  });
  return text;
}
