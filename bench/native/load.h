/* What the works of the generator share: its state, and the hooks that the loop calls. */
#ifndef LOAD_H
#define LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "histogram.h"
#include "machine.h"
#include "message.h"
#include "options.h"

typedef struct Load Load;
typedef struct Peer Peer;

/* What a work is, and does when something happens. A hook may be NULL. */
typedef struct {
    const char *name;
    bool one_speaker;  /* what anybody hears was said by connection 0 */
    bool keeps_times;  /* asks when a message was sent */
    bool reopens;      /* has its connections come and go, and does not wait for all to be there */
    bool many_sources; /* needs more ports than one address has */
    bool quiet;        /* expects to hear nothing for long */
    int opening_at_once;

    void (*prepare)(Load *load); /* before anything: may alter the options */
    void (*start)(Load *load);   /* all are connected, and the server has settled */
    void (*begin)(Load *load);   /* the measured time begins */
    void (*opened)(Load *load, Peer *peer);
    void (*message)(Load *load, Peer *peer, uint64_t now); /* a whole message, and it was right */
    void (*closed)(Load *load, Peer *peer, const char *why); /* NULL: nobody may close */
    void (*turn)(Load *load, uint64_t now); /* after each batch of events */
    bool (*finish)(Load *load);             /* the measured time is over: is all said and done? */
    void (*tell)(const Load *load);         /* prints more members of the JSON object */
} Work;

enum Stage { OPENING, SETTLING, WARMING, MEASURING, FINISHING, DONE };

struct Load {
    Options options;
    const Work *work;
    Message message;
    int epoll;
    enum Stage stage;
    uint64_t stage_ends; /* ns; for OPENING and FINISHING: when patience is lost */
    uint64_t last_progress;
    uint64_t spun_ns; /* looking for events in vain */

    Peer *peers;
    int wanted, opening, open; /* connections there should be; that are being made; that there are */
    int next_idle;             /* where to look for the next to be opened */
    uint32_t asked;            /* connections ever tried */

    uint8_t *input, *output; /* shared: no peer keeps octets in them between two calls */
    uint32_t ring;           /* of each peer's times: a power of two, less one */
    size_t frame_length;     /* of what is sent */
    uint8_t usual_head[14];  /* of the frame that is expected, unless it is compressed */
    size_t usual_head_length;

    uint64_t count;          /* what the rate is counted in */
    uint64_t payload_octets; /* received, as they came over the wire */
    uint64_t errors;
    Histogram latency;
    Usage before, after;
};

/* Measured with echoes of 1 MiB: what is read stays in the second-level cache, what is sent goes at once. */
enum { INPUT_ROOM = 128 * 1024, OUTPUT_ROOM = 512 * 1024 };

/* Ends the program: the server is wrong, or the figures would be worthless. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Counting begins, or begins anew; of errors none is forgotten. */
void load_measure(Load *load);

/* More connections are wanted; `start` will be called again when they are there. */
void load_open_more(Load *load, int wanted);

static inline void load_count(Load *load, uint64_t latency_ns) {
    load->count++;
    histogram_add(&load->latency, latency_ns);
}

extern const Work echo_work, fanout_work, handshake_work, idle_work, storm_work;

#endif
