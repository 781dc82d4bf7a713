/* Processor time of a process is read from its clock, which counts nanoseconds, running threads up to
   this moment and ended ones included. /proc/stat counts ticks of 10 ms, so what is left for "anything
   else" is good to about a per cent in a second. */
#include "machine.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MOST_PROCESSES = 1024 };

static uint64_t nanoseconds(struct timespec time) {
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static uint64_t clock_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return nanoseconds(now);
}

uint64_t now_ns(void) { return clock_ns(CLOCK_MONOTONIC); }

int processors(void) {
    static int count; /* asking takes several system calls */
    if (!count) count = (int)sysconf(_SC_NPROCESSORS_ONLN);
    return count;
}

/* The text of a small file of /proc; empty if it is gone. */
static void read_text(const char *path, char *text, size_t room) {
    text[0] = 0;
    FILE *file = fopen(path, "r");
    if (!file) return;
    text[fread(text, 1, room - 1, file)] = 0;
    fclose(file);
}

static pid_t parent_of(pid_t pid) {
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    read_text(path, text, sizeof text);
    const char *name_end = strrchr(text, ')'); /* a name may have spaces and parentheses in it */
    int parent = 0;
    if (!name_end || sscanf(name_end + 1, " %*c %d", &parent) != 1) return 0;
    return parent;
}

/* All its threads, those that have ended, too. */
static uint64_t process_ns(pid_t pid) {
    clockid_t clock;
    struct timespec used;
    if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &used)) return 0;
    return nanoseconds(used);
}

static uint64_t rss_kib(pid_t pid) {
    char path[64], text[256];
    unsigned long long pages = 0;
    snprintf(path, sizeof path, "/proc/%d/statm", pid);
    read_text(path, text, sizeof text);
    if (sscanf(text, "%*u %llu", &pages) != 1) return 0;
    return pages * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
}

static bool among(const pid_t *list, int count, pid_t pid) {
    for (int i = 0; i < count; i++)
        if (list[i] == pid) return true;
    return false;
}

/* A process and its descendants. Parents have no smaller number when numbers have wrapped, hence
   the passes: each finds one generation at least. */
static int family(pid_t root, pid_t *members) {
    int count = 1, before = 0;
    members[0] = root;
    while (count != before && count < MOST_PROCESSES) {
        before = count;
        DIR *all = opendir("/proc");
        if (!all) return count;
        for (struct dirent *entry; count < MOST_PROCESSES && (entry = readdir(all));) {
            pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
            if (pid > 0 && !among(members, count, pid) && among(members, count, parent_of(pid)))
                members[count++] = pid;
        }
        closedir(all);
    }
    return count;
}

static uint64_t machine_ns(void) {
    char text[512];
    unsigned long long user, nice, system, irq, softirq, steal;
    read_text("/proc/stat", text, sizeof text);
    if (sscanf(text, "cpu %llu %llu %llu %*u %*u %llu %llu %llu", &user, &nice, &system, &irq,
               &softirq, &steal) != 6)
        return 0;
    uint64_t ticks = user + nice + system + irq + softirq + steal;
    return ticks * (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK));
}

Usage usage_now(pid_t server) {
    Usage usage = {0};
    if (server) {
        pid_t members[MOST_PROCESSES];
        int count = family(server, members);
        for (int i = 0; i < count; i++) {
            usage.server_ns += process_ns(members[i]);
            usage.server_rss_kib += rss_kib(members[i]);
        }
    }
    usage.machine_ns = machine_ns();
    usage.own_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    usage.at_ns = now_ns();
    return usage;
}
