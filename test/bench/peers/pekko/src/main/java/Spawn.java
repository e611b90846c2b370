import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.apache.pekko.actor.AbstractActor;
import org.apache.pekko.actor.ActorRef;
import org.apache.pekko.actor.ActorSystem;
import org.apache.pekko.actor.Props;

/**
 * PARENTS actors begin KEYS others with 128 bytes of state each, ping each once, FLIGHT at a time,
 * and look at its answer, the sum of that state. All are there at the end; so much has the process
 * grown. Usage: Spawn KEYS PARENTS FLIGHT
 */
public final class Spawn {
    static final class Member extends AbstractActor {
        private final long[] state = new long[16];
        private final long key;

        Member(long key) {
            this.key = key;
            for (int i = 0; i < state.length; i++) {
                state[i] = key + i;
            }
        }

        @Override
        public Receive createReceive() {
            return receiveBuilder().matchEquals("ping", word -> answer()).build();
        }

        private void answer() {
            long sum = 0;
            for (long one : state) {
                sum += one;
            }
            getSender().tell(new long[] {key, sum}, getSelf());
        }
    }

    static final class Parent extends AbstractActor {
        private final int keys;
        private final int parents;
        private final int flight;
        private final int share;
        private final CountDownLatch done;
        private int next;
        private int had;
        private long open;

        Parent(int keys, int parents, int flight, int number, CountDownLatch done) {
            this.keys = keys;
            this.parents = parents;
            this.flight = flight;
            this.next = number;
            this.share = keys / parents + (number < keys % parents ? 1 : 0);
            this.done = done;
        }

        @Override
        public Receive createReceive() {
            return receiveBuilder()
                .match(long[].class, this::take)
                .matchEquals("go", word -> {
                    for (int i = 0; i < flight && next < keys; i++) {
                        beginOne();
                    }
                })
                .build();
        }

        private void beginOne() {
            long key = next;
            ActorRef one = getContext().actorOf(
                Props.create(Member.class, () -> new Member(key)));
            one.tell("ping", getSelf());
            open += key;
            next += parents;
        }

        private void take(long[] answer) {
            if (answer[1] != 16 * answer[0] + 120) {
                System.exit(1);
            }
            open -= answer[0];
            had++;
            if (next < keys) {
                beginOne();
            }
            if (had < share) {
                return;
            }
            if (open != 0) {
                System.exit(1);
            }
            done.countDown();
        }
    }

    static double play(ActorSystem system, int keys, int parents, int flight) throws Exception {
        CountDownLatch done = new CountDownLatch(parents);
        ActorRef[] all = new ActorRef[parents];
        for (int i = 0; i < parents; i++) {
            int number = i;
            all[i] = system.actorOf(Props.create(Parent.class,
                () -> new Parent(keys, parents, flight, number, done)));
        }
        long begin = System.nanoTime();
        for (ActorRef one : all) {
            one.tell("go", ActorRef.noSender());
        }
        if (!done.await(600, TimeUnit.SECONDS)) {
            System.exit(1);
        }
        return (System.nanoTime() - begin) / 1e9;
    }

    static long memory() throws Exception {
        System.gc();
        for (String line : Files.readAllLines(Path.of("/proc/self/smaps_rollup"))) {
            if (line.startsWith("Pss:")) {
                return 1024 * Long.parseLong(line.split("\\s+")[1]);
            }
        }
        throw new IllegalStateException("no Pss");
    }

    public static void main(String[] words) throws Exception {
        int keys = Integer.parseInt(words[0]);
        int parents = Integer.parseInt(words[1]);
        int flight = Integer.parseInt(words[2]);
        ActorSystem warm = ActorSystem.create("warm");
        play(warm, Math.max(keys / 100, parents), parents, flight);
        warm.terminate();
        warm.getWhenTerminated().toCompletableFuture().get(60, TimeUnit.SECONDS);
        ActorSystem system = ActorSystem.create("spawn");
        long empty = memory();
        long before = Pairs.cpuNs();
        double seconds = play(system, keys, parents, flight);
        double cpu = (Pairs.cpuNs() - before) / 1e9;
        System.out.printf(java.util.Locale.ROOT,
            "{\"seconds\":%.6f,\"count\":%d,\"cpu_s\":%.3f,\"p50_us\":0,\"p99_us\":0,"
            + "\"bytes\":%d}%n", seconds, keys, cpu, memory() - empty);
        System.out.flush();
        Runtime.getRuntime().halt(0); // To end a million actors one by one is not measured.
    }
}
