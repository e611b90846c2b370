/* The Agent of `make bench BENCH=compute`: it computes. A message is the first letter of a kernel
 * and how many rounds of it; the answer is a sum of all that came out, the same in every engine. */
#include <swarm/agent.h>

#define SIDE 48u           /* Of matrices. */
#define PLACES (32u << 10) /* To sort, to hop over. */
#define NUMBERS 200000u    /* To look through for primes. */
#define BODIES 5u

SWARM_AGENT;

static double left[SIDE][SIDE], right[SIDE][SIDE], product[SIDE][SIDE];
static uint32_t places[PLACES];
static uint8_t is_composite[NUMBERS];
static struct {
    double at[3], speed[3], mass;
} bodies[BODIES];

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static uint64_t bits_of(double value)
{
    uint64_t bits;

    __builtin_memcpy(&bits, &value, sizeof bits);
    return bits;
}

static uint64_t multiply(uint64_t seed)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < SIDE * SIDE; i++) {
        left[i / SIDE][i % SIDE] = (double)(next_random(&seed) >> 40);
        right[i / SIDE][i % SIDE] = (double)(next_random(&seed) >> 40);
    }
    for (uint32_t i = 0; i < SIDE; i++)
        for (uint32_t k = 0; k < SIDE; k++) {
            double one = 0;

            for (uint32_t j = 0; j < SIDE; j++)
                one += left[i][j] * right[j][k];
            product[i][k] = one;
        }
    for (uint32_t i = 0; i < SIDE; i++)
        sum += bits_of(product[i][i]);
    return sum;
}

static uint64_t sieve(uint64_t seed)
{
    uint64_t count = seed;

    __builtin_memset(is_composite, 0, sizeof is_composite);
    for (uint32_t i = 2; i < NUMBERS; i++) {
        if (is_composite[i])
            continue;
        count++;
        for (uint32_t k = 2 * i; k < NUMBERS; k += i)
            is_composite[k] = 1;
    }
    return count;
}

/* By heaps: no recursion, and no order of memory that a processor foresees. */
static void sift(uint32_t *heap, uint32_t at, uint32_t count)
{
    uint32_t value = heap[at];

    for (uint32_t child = 2 * at + 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count && heap[child + 1] > heap[child])
            child++;
        if (heap[child] <= value)
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = value;
}

static uint64_t sort(uint64_t seed)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < PLACES; i++)
        places[i] = (uint32_t)next_random(&seed);
    for (uint32_t i = PLACES / 2; i-- > 0;)
        sift(places, i, PLACES);
    for (uint32_t i = PLACES; i-- > 1;) {
        uint32_t first = places[0];

        places[0] = places[i];
        places[i] = first;
        sift(places, 0, i);
    }
    for (uint32_t i = 0; i < PLACES; i++)
        sum = sum * 31 + places[i];
    return sum;
}

static uint64_t hash(uint64_t seed)
{
    const uint8_t *bytes = (const uint8_t *)places;
    uint64_t sum = seed;

    for (uint32_t i = 0; i < PLACES; i++)
        places[i] = (uint32_t)next_random(&seed);
    for (uint32_t i = 0; i < sizeof places; i++)
        sum = (sum ^ bytes[i]) * 0x100000001b3u;
    return sum;
}

/* One place says where the next one is. */
static uint64_t hop(uint64_t seed)
{
    uint32_t at = 0;
    uint64_t sum = 0;

    for (uint32_t i = 0; i < PLACES; i++)
        places[i] = i;
    for (uint32_t i = PLACES; i-- > 1;) { /* One circle through all of them. */
        uint32_t other = (uint32_t)(next_random(&seed) % i), one = places[i];

        places[i] = places[other];
        places[other] = one;
    }
    for (uint32_t i = 0; i < 8 * PLACES; i++) {
        at = places[at];
        sum += at ^ i;
    }
    return sum;
}

static void pull(uint32_t one, uint32_t other, double step)
{
    double distance[3], square = 0.01;

    for (uint32_t i = 0; i < 3; i++) {
        distance[i] = bodies[one].at[i] - bodies[other].at[i];
        square += distance[i] * distance[i];
    }
    step /= square * __builtin_sqrt(square);
    for (uint32_t i = 0; i < 3; i++) {
        bodies[one].speed[i] -= distance[i] * bodies[other].mass * step;
        bodies[other].speed[i] += distance[i] * bodies[one].mass * step;
    }
}

static uint64_t orbit(uint64_t seed)
{
    for (uint32_t i = 0; i < BODIES; i++) {
        for (uint32_t k = 0; k < 3; k++) {
            bodies[i].at[k] = (double)(next_random(&seed) >> 60);
            bodies[i].speed[k] = 0;
        }
        bodies[i].mass = 1 + i;
    }
    for (uint32_t step = 0; step < 4000; step++) {
        for (uint32_t i = 0; i < BODIES; i++)
            for (uint32_t k = i + 1; k < BODIES; k++)
                pull(i, k, 0.001);
        for (uint32_t i = 0; i < BODIES * 3; i++)
            bodies[i / 3].at[i % 3] += 0.001 * bodies[i / 3].speed[i % 3];
    }
    return bits_of(bodies[0].at[0]) + bits_of(bodies[1].at[1]);
}

static uint64_t run(uint8_t kernel, uint64_t seed)
{
    switch (kernel) {
    case 'm':
        return multiply(seed);
    case 'p':
        return sieve(seed);
    case 's':
        return sort(seed);
    case 'f':
        return hash(seed);
    case 'h':
        return hop(seed);
    default:
        return orbit(seed);
    }
}

int32_t SWARM_EXPORT(on_message)(const struct swarm_message *message)
{
    char digits[20];
    uint64_t sum = 0;
    uint32_t rounds = 0, at = sizeof digits;

    for (uint32_t i = 1; i < message->body_size; i++)
        rounds = rounds * 10 + (uint32_t)(message->body[i] - '0');
    for (uint32_t i = 0; i < rounds; i++)
        sum = sum * 33 + run(message->body[0], 88172645463325252u + i);
    do {
        digits[--at] = (char)('0' + sum % 10);
        sum /= 10;
    } while (sum > 0);
    return swarm_reply(message->reply_handle, 0, "", 0, digits + at, (uint32_t)sizeof digits - at);
}
