import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.pekko.actor.AbstractActor;
import org.apache.pekko.actor.ActorRef;
import org.apache.pekko.actor.ActorSystem;
import org.apache.pekko.actor.Props;

/**
 * Pairs of actors play a ball of 128 bytes, which is copied each time, as isolation would ask for;
 * a first play warms up. Usage: Pairs PAIRS ROUNDS
 */
public final class Pairs {
    static final class Partner extends AbstractActor {
        @Override
        public Receive createReceive() {
            return receiveBuilder()
                .match(byte[].class, ball -> getSender().tell(ball.clone(), getSelf()))
                .build();
        }
    }

    static final class Player extends AbstractActor {
        private final CountDownLatch done;
        private final ActorRef partner;
        private int left;

        Player(int rounds, CountDownLatch done) {
            this.left = rounds;
            this.done = done;
            this.partner = getContext().actorOf(Props.create(Partner.class, Partner::new));
        }

        @Override
        public Receive createReceive() {
            return receiveBuilder()
                .match(byte[].class, this::take)
                .matchEquals("start", word -> {
                    byte[] ball = new byte[128];
                    ball[127] = 1;
                    partner.tell(ball, getSelf());
                })
                .build();
        }

        private void take(byte[] ball) {
            if (ball.length != 128 || ball[127] != 1) {
                System.exit(1);
            }
            if (--left > 0) {
                partner.tell(ball.clone(), getSelf());
            } else {
                done.countDown();
                getContext().stop(getSelf());
            }
        }
    }

    static double play(ActorSystem system, int pairs, int rounds) throws InterruptedException {
        CountDownLatch done = new CountDownLatch(pairs);
        ActorRef[] players = new ActorRef[pairs];
        for (int i = 0; i < pairs; i++) {
            players[i] = system.actorOf(
                Props.create(Player.class, () -> new Player(rounds, done)));
        }
        long begin = System.nanoTime();
        for (ActorRef player : players) {
            player.tell("start", ActorRef.noSender());
        }
        if (!done.await(600, TimeUnit.SECONDS)) {
            System.exit(1);
        }
        return (System.nanoTime() - begin) / 1e9;
    }

    static long cpuNs() {
        return ((com.sun.management.OperatingSystemMXBean)
            java.lang.management.ManagementFactory.getOperatingSystemMXBean()).getProcessCpuTime();
    }

    public static void main(String[] words) throws Exception {
        int pairs = Integer.parseInt(words[0]);
        int rounds = Integer.parseInt(words[1]);
        ActorSystem system = ActorSystem.create("pairs");
        play(system, pairs, rounds);
        long before = cpuNs();
        double seconds = play(system, pairs, rounds);
        System.out.printf(java.util.Locale.ROOT,
            "{\"seconds\":%.6f,\"count\":%d,\"cpu_s\":%.3f,\"p50_us\":0,\"p99_us\":0}%n", seconds,
            2L * pairs * rounds, (cpuNs() - before) / 1e9);
        system.terminate();
    }
}
