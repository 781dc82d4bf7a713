/* How far two cores are from each other: nanoseconds in which a cache line goes there and back.
 *
 *     distance CORE CORE
 *
 * A virtual machine's cores may stand beside each other, with one cache in between, or apart, and
 * its host moves them: what goes from one to the other then takes several times as long, and so
 * does every message of a benchmark over loopback. Prints the least of several tries.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { TRIPS = 20, MOST_TRIES = 1000 };
static const double MOST_NS = 20e6; /* on a busy machine, where a trip takes milliseconds */

enum { EMPTY, THROWN, LAST };
static _Atomic int ball;

static void stay_on(int core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    if (sched_setaffinity(0, sizeof set, &set)) {
        perror("sched_setaffinity");
        exit(2);
    }
}

static void *answer(void *core)
{
    stay_on(*(int *)core);
    for (;;) {
        int seen = atomic_load_explicit(&ball, memory_order_acquire);
        if (seen == LAST)
            return NULL;
        if (seen == THROWN)
            atomic_store_explicit(&ball, EMPTY, memory_order_release);
    }
}

static double now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1e9 + time.tv_nsec;
}

static double trip_ns(void)
{
    double began = now_ns();
    for (int trip = 0; trip < TRIPS; trip++) {
        atomic_store_explicit(&ball, THROWN, memory_order_release);
        while (atomic_load_explicit(&ball, memory_order_acquire) != EMPTY)
            ;
    }
    return (now_ns() - began) / TRIPS;
}

int main(int count, char **words)
{
    if (count != 3) {
        fprintf(stderr, "usage: distance CORE CORE\n");
        return 2;
    }
    int here = atoi(words[1]), there = atoi(words[2]);
    pthread_t other;
    if (pthread_create(&other, NULL, answer, &there))
        return 1;
    stay_on(here);
    double began = now_ns(), least = trip_ns();
    for (int i = 1; i < MOST_TRIES && now_ns() - began < MOST_NS; i++) {
        double found = trip_ns();
        if (found < least)
            least = found;
    }
    atomic_store_explicit(&ball, LAST, memory_order_release);
    pthread_join(other, NULL);
    printf("%.1f\n", least);
    return 0;
}
