/* Numbers are judged here, so that nothing else has to ask whether they make sense. */
#include "options.h"

#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "load WORK --port P [options]\n"
    "  works: echo fanout handshake idle storm\n"
    "  --host ADDRESS     IPv4 address (127.0.0.1)\n"
    "  --path PATH        what is asked for (/)\n"
    "  --connections N    how many (100)\n"
    "  --size B           octets of a message (32)\n"
    "  --text | --json    text messages; a JSON document (binary)\n"
    "  --in-flight K      echo: messages on their way for each connection (1); handshake and storm:\n"
    "                     openings at once (1, all)\n"
    "  --window W         fan-out: messages that not everybody has yet (1)\n"
    "  --seconds S        what is measured (3)\n"
    "  --warm-up S        what comes before (0.5)\n"
    "  --hold S           idle: how long (2)\n"
    "  --settle S         how long the server is left alone after all are connected (0.3)\n"
    "  --patience S       how long nothing may happen (10)\n"
    "  --half-open        idle: send half a request head only\n"
    "  --then-broadcast   idle: one message to all afterwards\n"
    "  --server-pid PID   whose processor time and memory is told\n"
    "  --tls --deflate    wss://, and compression\n";

static void refuse(const char *why) {
    fprintf(stderr, "load: %s\n%s", why, usage);
    exit(2);
}

static double number(const char *text, double least, double most) {
    char *end;
    double value = strtod(text, &end);
    if (*end || end == text || !(value >= least && value <= most)) {
        char why[128];
        snprintf(why, sizeof why, "%.40s is not a number from %g to %g", text, least, most);
        refuse(why);
    }
    return value;
}

static void address(const char *text, struct in_addr *host) {
    if (strcmp(text, "localhost") == 0) text = "127.0.0.1";
    if (inet_pton(AF_INET, text, host) != 1) refuse("--host takes an IPv4 address");
}

enum { HALF_OPEN = 256, THEN_BROADCAST, TEXT_MESSAGES, JSON_MESSAGES, TLS_ON, DEFLATE_ON };

static const struct option known[] = {
    {"host", required_argument, NULL, 'h'},
    {"port", required_argument, NULL, 'p'},
    {"path", required_argument, NULL, 'P'},
    {"connections", required_argument, NULL, 'c'},
    {"size", required_argument, NULL, 's'},
    {"in-flight", required_argument, NULL, 'k'},
    {"window", required_argument, NULL, 'k'},
    {"seconds", required_argument, NULL, 'S'},
    {"warm-up", required_argument, NULL, 'w'},
    {"hold", required_argument, NULL, 'H'},
    {"settle", required_argument, NULL, 'e'},
    {"patience", required_argument, NULL, 'q'},
    {"server-pid", required_argument, NULL, 'i'},
    {"half-open", no_argument, NULL, HALF_OPEN},
    {"then-broadcast", no_argument, NULL, THEN_BROADCAST},
    {"text", no_argument, NULL, TEXT_MESSAGES},
    {"json", no_argument, NULL, JSON_MESSAGES},
    {"tls", no_argument, NULL, TLS_ON},
    {"deflate", no_argument, NULL, DEFLATE_ON},
    {NULL, 0, NULL, 0},
};

static void take(Options *options, int name, const char *value) {
    switch (name) {
    case 'h': address(value, &options->host); break;
    case 'p': options->port = (int)number(value, 1, 65535); break;
    case 'P': options->path = value; break;
    case 'c': options->connections = (int)number(value, 1, 1000000); break;
    case 's': options->size = (long)number(value, 0, 1 << 30); break;
    case 'k': options->in_flight = (int)number(value, 1, 1 << 20); break;
    case 'S': options->seconds = number(value, 0.001, 3600); break;
    case 'w': options->warm_up = number(value, 0, 3600); break;
    case 'H': options->hold = number(value, 0, 3600); break;
    case 'e': options->settle = number(value, 0, 3600); break;
    case 'q': options->patience = number(value, 0.1, 3600); break;
    case 'i': options->server = (pid_t)number(value, 1, 1 << 30); break;
    case HALF_OPEN: options->half_open = true; break;
    case THEN_BROADCAST: options->then_broadcast = true; break;
    case TEXT_MESSAGES: options->text = true; break;
    case JSON_MESSAGES: options->json = options->text = true; break;
    case TLS_ON: options->tls = true; break;
    case DEFLATE_ON: options->deflate = true; break;
    default: refuse("that option is not known");
    }
}

Options options_read(int count, char **words) {
    Options options = {.path = "/", .connections = 100, .size = 32, .seconds = 3,
                       .warm_up = 0.5, .hold = 2, .settle = 0.3, .patience = 10};
    address("127.0.0.1", &options.host);
    if (count < 2 || words[1][0] == '-') refuse("no work is named");
    options.work = words[1];
    optind = 2;
    for (int name; (name = getopt_long(count, words, "", known, NULL)) != -1;)
        take(&options, name, optarg);
    if (optind < count) refuse("too many words");
    if (!options.port) refuse("--port is missing");
    return options;
}
