import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.pekko.actor.AbstractActor;
import org.apache.pekko.actor.ActorRef;
import org.apache.pekko.actor.ActorSystem;
import org.apache.pekko.actor.Props;

/**
 * Senders send balls of 128 bytes, 128 at a time, each a copy, to many others, round about or at
 * random, and a last word to each, which then tells how many it got; once to warm up.
 * Usage: Fan KEYS MESSAGES SENDERS RANDOM
 */
public final class Fan {
    static final int BATCH = 128;

    static final class Sum extends AbstractActor {
        private final int keys;
        private final long expected;
        private CountDownLatch done;
        private int reports;
        private long total;

        Sum(int keys, long expected) {
            this.keys = keys;
            this.expected = expected;
        }

        @Override
        public Receive createReceive() {
            return receiveBuilder()
                .match(CountDownLatch.class, latch -> done = latch)
                .match(Integer.class, this::take)
                .build();
        }

        private void take(int had) {
            total += had;
            if (++reports < keys) {
                return;
            }
            if (total != expected) {
                System.exit(1);
            }
            reports = 0;
            total = 0;
            done.countDown();
        }
    }

    static final class Member extends AbstractActor {
        private final ActorRef sum;
        private final int senders;
        private int had;
        private int lasts;

        Member(ActorRef sum, int senders) {
            this.sum = sum;
            this.senders = senders;
        }

        @Override
        public Receive createReceive() {
            return receiveBuilder()
                .match(byte[].class, this::take)
                .matchEquals("last", word -> {
                    if (++lasts == senders) {
                        sum.tell(had, getSelf());
                        had = 0;
                        lasts = 0;
                    }
                })
                .build();
        }

        private void take(byte[] ball) {
            if (ball.length != 128 || ball[127] != 1) {
                System.exit(1);
            }
            had++;
        }
    }

    static final class Sender extends AbstractActor {
        private final ActorRef[] members;
        private final int messages;
        private final boolean isRandom;
        private final byte[] ball = new byte[128];
        private long state;
        private int sent;
        private int ended;

        Sender(ActorRef[] members, int messages, boolean isRandom, long seed) {
            this.members = members;
            this.messages = messages;
            this.isRandom = isRandom;
            this.state = seed;
            ball[127] = 1;
        }

        @Override
        public Receive createReceive() {
            return receiveBuilder().matchEquals("go", word -> go()).build();
        }

        private void go() {
            for (int i = 0; i < BATCH && sent < messages; i++, sent++) {
                state = state * 6364136223846793005L + 1442695040888963407L;
                int at = (isRandom ? (int) (state >>> 33) : sent) % members.length;
                members[at].tell(ball.clone(), getSelf());
            }
            for (int i = 0; i < BATCH && sent == messages && ended < members.length; i++) {
                members[ended++].tell("last", getSelf());
            }
            if (ended < members.length) {
                getSelf().tell("go", getSelf());
            } else {
                sent = 0;
                ended = 0;
            }
        }
    }

    static double play(ActorRef sum, ActorRef[] senders) throws InterruptedException {
        CountDownLatch done = new CountDownLatch(1);
        sum.tell(done, ActorRef.noSender());
        long begin = System.nanoTime();
        for (ActorRef sender : senders) {
            sender.tell("go", ActorRef.noSender());
        }
        if (!done.await(600, TimeUnit.SECONDS)) {
            System.exit(1);
        }
        return (System.nanoTime() - begin) / 1e9;
    }

    public static void main(String[] words) throws Exception {
        int keys = Integer.parseInt(words[0]);
        int messages = Integer.parseInt(words[1]);
        int count = Integer.parseInt(words[2]);
        boolean isRandom = words[3].equals("1");
        ActorSystem system = ActorSystem.create("fan");
        ActorRef sum = system.actorOf(
            Props.create(Sum.class, () -> new Sum(keys, (long) count * messages)));
        ActorRef[] members = new ActorRef[keys];
        for (int i = 0; i < keys; i++) {
            members[i] = system.actorOf(Props.create(Member.class, () -> new Member(sum, count)));
        }
        ActorRef[] senders = new ActorRef[count];
        for (int i = 0; i < count; i++) {
            long seed = i + 1;
            senders[i] = system.actorOf(Props.create(Sender.class,
                () -> new Sender(members, messages, isRandom, seed)));
        }
        play(sum, senders);
        long before = Pairs.cpuNs();
        double seconds = play(sum, senders);
        System.out.printf(java.util.Locale.ROOT,
            "{\"seconds\":%.6f,\"count\":%d,\"cpu_s\":%.3f,\"p50_us\":0,\"p99_us\":0}%n", seconds,
            (long) count * messages + (count + 1L) * keys, (Pairs.cpuNs() - before) / 1e9);
        system.terminate();
    }
}
