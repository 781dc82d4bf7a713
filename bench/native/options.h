/* The command line of the generator. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/types.h>

typedef struct {
    const char *work;
    const char *path;
    struct in_addr host;
    int port;
    int connections;
    long size;     /* octets */
    int in_flight; /* 0: as the work likes it */
    double seconds, warm_up, hold, settle, patience;
    pid_t server; /* 0: nobody's processor time is asked for */
    bool tls, deflate, text, json, half_open, then_broadcast;
} Options;

/* Exits with a message if the command line makes no sense. */
Options options_read(int count, char **words);

#endif
