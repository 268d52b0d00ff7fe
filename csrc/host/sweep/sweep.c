/* A sweep: workers take chunks of cases, set them up in scalar code and run like cases side by
 * side. */
#define _POSIX_C_SOURCE 200809L
#include "polepair/sweep.h"

#include "polepair/warnings.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../clock.h"
#include "kernel.h"

enum { CHUNK = 64, THREADS_MAX = 256 };
enum { SINGLE_SAMPLES = 1 << 24 }; /* floats count whole numbers to 2^24 */

typedef struct lanes {
    pp_kernel *run;
    const int *width;
} lanes;

typedef struct isa {
    const char *name;
    lanes mode[PP_MODE_COUNT];
} isa;

#define LANES(name) {pp_kernel_##name, &pp_width_##name}
static const isa isas[] = {
#if defined __x86_64__
    {"avx512", {LANES(avx512), LANES(fast_avx512), LANES(single_avx512)}},
    {"avx2", {LANES(avx2), LANES(fast_avx2), LANES(single_avx2)}},
#endif
    {"plain", {LANES(plain), LANES(plain), LANES(plain)}},
};
enum { ISA_COUNT = sizeof isas / sizeof isas[0] };

static bool machine_has(const char *name)
{
#if defined __x86_64__
    __builtin_cpu_init();
    if (!strcmp(name, "avx512"))
        return __builtin_cpu_supports("avx512f");
    if (!strcmp(name, "avx2"))
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
    return !strcmp(name, "plain");
}

/* The choice made by pp_sweep_force_isa; NULL means the best that the machine has. */
static const isa *forced;

static const isa *choose(void)
{
    for (int i = 0; !forced && i < ISA_COUNT; i++)
        if (machine_has(isas[i].name))
            return &isas[i];
    return forced;
}

const char *pp_sweep_isa(void) { return choose()->name; }

bool pp_sweep_force_isa(const char *name)
{
    if (!name) {
        forced = NULL;
        return true;
    }
    for (int i = 0; i < ISA_COUNT; i++)
        if (!strcmp(isas[i].name, name) && machine_has(name)) {
            forced = &isas[i];
            return true;
        }
    return false;
}

struct pp_sweep_job {
    pp_sweep sweep;
    pp_machine nominal;
    int channels[2 * PP_SWEEP_OUTPUTS_MAX];   /* of outputs and trace */
    pp_reduced outputs[PP_SWEEP_OUTPUTS_MAX]; /* of the kernels */
    int places[PP_SWEEP_OUTPUTS_MAX];         /* theirs among the sweep's */
    int output_count;
    const lanes *lanes;
    pthread_t thread[THREADS_MAX];
    int threads, running;
    long next, done;
    int stop; /* atomic */
    long chunk;
    pthread_mutex_t lock;
    pthread_cond_t ended;
};

/* A worker's chunk of cases. */
typedef struct pp_batch {
    pp_case cases[CHUNK];
    pp_twin twins[CHUNK];
    pp_params params[CHUNK];
    pp_machine machines[CHUNK];
    pp_run ends[CHUNK];
    bool taken[CHUNK];
    int count;
} pp_batch;

static void refuse(const pp_sweep *s, long index, pp_status status, int where)
{
    s->status[index] = (uint8_t)status;
    if (s->where)
        s->where[index] = (int16_t)where;
    for (int o = 0; o < s->output_count; o++)
        s->results[index * s->output_count + o] = NAN;
    const long size = s->trace.count * s->trace.rows;
    for (long i = 0; i < size; i++)
        s->trace.out[index * size + i] = NAN;
}

/* Parameters of case `index`: the base with the columns replaced. */
static pp_status case_params(const pp_sweep *s, long index, pp_params *params, int *bad)
{
    *params = *s->base;
    for (int c = 0; c < s->column_count; c++) {
        double value = s->values[index * s->column_count + c];
        if (!pp_param_valid(s->columns[c], value)) {
            *bad = s->columns[c];
            return PP_RANGE;
        }
        ((double *)params)[s->columns[c]] = value;
    }
    return PP_OK;
}

static void prepare(const pp_sweep_job *job, pp_batch *batch, long index)
{
    const pp_sweep *s = &job->sweep;
    pp_params *params = &batch->params[batch->count];
    pp_machine *machine = &batch->machines[batch->count];
    pp_twin *twin = &batch->twins[batch->count];
    int bad = -1;
    pp_status status = case_params(s, index, params, &bad);
    if (status == PP_OK)
        status = pp_machine_derive(params, machine);
    if (status == PP_OK)
        status = pp_twin_setup_machine(params, machine, s->retune ? NULL : &job->nominal, twin);
    const long samples = status == PP_OK ? pp_twin_samples(s->t_end, twin->period) : 0;
    if (samples < 0 || (s->trace.count > 0 && samples / s->trace.every >= s->trace.rows))
        status = PP_ARGUMENT;
    if (s->mode == PP_SINGLE && samples > SINGLE_SAMPLES)
        status = PP_SINGLE_LONG;
    refuse(s, index, status, bad);
    if (status != PP_OK)
        return;
    pp_case *c = &batch->cases[batch->count];
    *c = (pp_case){
        .model = (const double *)&twin->model,
        .index = index,
        .samples = samples,
        .substeps = twin->substeps,
        .kinds = twin->kinds,
        .end = (double *)&batch->ends[batch->count],
    };
    c->kinds.features = pp_twin_features(twin, job->channels, s->output_count + s->trace.count);
    batch->taken[batch->count++] = false;
}

static bool same_shape(const pp_case *a, const pp_case *b)
{
    return a->samples == b->samples && a->substeps == b->substeps &&
           !memcmp(&a->kinds, &b->kinds, sizeof a->kinds);
}

/* The next cases of the chunk that can run side by side. */
static int gather(pp_batch *batch, int width, const pp_case **block)
{
    int count = 0;
    for (int i = 0; i < batch->count && count < width; i++)
        if (!batch->taken[i] && (count == 0 || same_shape(block[0], &batch->cases[i]))) {
            batch->taken[i] = true;
            block[count++] = &batch->cases[i];
        }
    return count;
}

/* The run of a case at its end, which is at place i of the batch. */
static pp_state end_of(const pp_batch *batch, long i)
{
    return (pp_state){.run = batch->ends[i], .sample = batch->cases[i].samples};
}

/* A run that its model does not hold for is refused, as a single one is. */
static pp_status judge(const pp_sweep_job *job, const pp_batch *batch, const pp_case *c)
{
    const long i = c - batch->cases;
    const pp_state end = end_of(batch, i);
    const double *results = &job->sweep.results[c->index * job->sweep.output_count];
    bool finite = true;
    for (int o = 0; o < job->output_count; o++)
        finite = finite && isfinite(results[job->places[o]]);
    const pp_status status = pp_twin_judge(&batch->twins[i], &end);
    return status == PP_OK && !finite ? PP_DIVERGED : status;
}

/* The doubts about a case, where they are among the outputs. */
static void warn(const pp_sweep *s, const pp_batch *batch, const pp_case *c)
{
    const long i = c - batch->cases;
    const pp_state end = end_of(batch, i);
    const pp_ended run = {.params = &batch->params[i],
                          .machine = &batch->machines[i],
                          .twin = &batch->twins[i],
                          .state = &end};
    for (int o = 0; o < s->output_count; o++)
        if (s->outputs[o].reducer == PP_WARNED)
            s->results[c->index * s->output_count + o] = pp_run_warnings(&run);
}

static void finish_case(const pp_sweep_job *job, const pp_batch *batch, const pp_case *c,
                        bool ended)
{
    const pp_status status = ended ? judge(job, batch, c) : PP_CANCELLED;
    if (status != PP_OK)
        refuse(&job->sweep, c->index, status, -1);
    else
        warn(&job->sweep, batch, c);
}

static void run_chunk(pp_sweep_job *job, pp_batch *batch)
{
    const pp_sweep *s = &job->sweep;
    const pp_case *cases[PP_LANES_MAX];
    int count;
    while ((count = gather(batch, *job->lanes->width, cases)) > 0) {
        const pp_block block = {
            .cases = cases,
            .count = count,
            .outputs = job->outputs,
            .output_count = job->output_count,
            .places = job->places,
            .width = s->output_count,
            .results = s->results,
            .trace = s->trace,
            .stop = &job->stop,
        };
        bool ended = job->lanes->run(&block);
        for (int i = 0; i < count; i++)
            finish_case(job, batch, cases[i], ended);
        if (ended)
            __atomic_fetch_add(&job->done, count, __ATOMIC_RELAXED);
    }
}

static long within(long value, long least, long most)
{
    if (value < least)
        return least;
    return value > most ? most : value;
}

/* Cases per grab: small enough to share a short sweep among the threads. */
static long chunk_size(const pp_sweep_job *job, int threads)
{
    const long width = *job->lanes->width;
    const long fair = job->sweep.cases / (8L * threads) / width * width;
    return within(fair, width, CHUNK);
}

static void work_through(pp_sweep_job *job, pp_batch *batch)
{
    const pp_sweep *s = &job->sweep;
    long size = job->chunk;
    for (;;) {
        const long first = __atomic_fetch_add(&job->next, size, __ATOMIC_RELAXED);
        const long last = first + size;
        if (first >= s->cases)
            return;
        batch->count = 0;
        for (long i = first; i < last && i < s->cases; i++) {
            if (__atomic_load_n(&job->stop, __ATOMIC_RELAXED))
                refuse(s, i, PP_CANCELLED, -1);
            else
                prepare(job, batch, i);
        }
        run_chunk(job, batch);
    }
}

static void *worker(void *argument)
{
    pp_sweep_job *job = argument;
    pp_batch *mine = malloc(sizeof *mine);
    if (mine)
        work_through(job, mine);
    free(mine);
    pthread_mutex_lock(&job->lock);
    job->running--;
    pthread_cond_broadcast(&job->ended);
    pthread_mutex_unlock(&job->lock);
    return NULL;
}

static void launch(pp_sweep_job *job)
{
    const int wanted = (int)within(job->sweep.threads, 1, THREADS_MAX);
    pthread_mutex_lock(&job->lock);
    job->chunk = chunk_size(job, wanted);
    while (job->running < wanted && !pthread_create(&job->thread[job->running], NULL, worker, job))
        job->running++;
    job->threads = job->running;
    pthread_mutex_unlock(&job->lock);
}

/* What the caller has to see to. */
static void assert_sweep(const pp_sweep *s)
{
    PP_ASSERT(s->base && s->cases >= 0 && s->column_count >= 0 && s->mode < PP_MODE_COUNT);
    PP_ASSERT(s->output_count >= 0 && s->output_count <= PP_SWEEP_OUTPUTS_MAX);
    PP_ASSERT(s->trace.count >= 0 && s->trace.count <= PP_SWEEP_OUTPUTS_MAX);
    PP_ASSERT(!s->trace.count || (s->trace.every > 0 && s->trace.rows > 0 && s->trace.out));
    for (int c = 0; c < s->column_count; c++)
        PP_ASSERT(s->columns[c] >= 0 && s->columns[c] < PP_PARAM_COUNT);
    for (int o = 0; o < s->output_count; o++)
        PP_ASSERT(s->outputs[o].channel >= 0 && s->outputs[o].channel < PP_CHANNEL_COUNT);
    for (int c = 0; c < s->trace.count; c++)
        PP_ASSERT(s->trace.channels[c] >= 0 && s->trace.channels[c] < PP_CHANNEL_COUNT);
}

/* The outputs that the kernels are asked for; warnings are none of theirs. */
static void take_outputs(pp_sweep_job *job)
{
    const pp_sweep *s = &job->sweep;
    for (int o = 0; o < s->output_count; o++) {
        job->channels[o] = s->outputs[o].channel;
        if (s->outputs[o].reducer == PP_WARNED)
            continue;
        job->outputs[job->output_count] = s->outputs[o];
        job->places[job->output_count++] = o;
    }
}

pp_sweep_job *pp_sweep_start(const pp_sweep *sweep)
{
    assert_sweep(sweep);
    pp_sweep_job *job = calloc(1, sizeof *job);
    if (!job)
        return NULL;
    job->sweep = *sweep;
    job->lanes = &choose()->mode[sweep->mode];
    take_outputs(job);
    for (int c = 0; c < sweep->trace.count; c++)
        job->channels[sweep->output_count + c] = sweep->trace.channels[c];
    bool tuned = sweep->retune || pp_machine_derive(sweep->base, &job->nominal) == PP_OK;
    for (long i = 0; i < sweep->cases; i++)
        refuse(sweep, i, tuned ? PP_NO_MEMORY : PP_ARGUMENT, -1);
    pthread_mutex_init(&job->lock, NULL);
    pp_monotonic(&job->ended);
    if (tuned)
        launch(job);
    return job;
}

bool pp_sweep_wait(pp_sweep_job *job, double seconds)
{
    struct timespec until = pp_deadline(seconds);
    pthread_mutex_lock(&job->lock);
    while (job->running > 0 && pthread_cond_timedwait(&job->ended, &job->lock, &until) != ETIMEDOUT)
        ;
    bool all = job->running == 0;
    pthread_mutex_unlock(&job->lock);
    return all;
}

long pp_sweep_done(const pp_sweep_job *job)
{
    return __atomic_load_n(&job->done, __ATOMIC_RELAXED);
}

void pp_sweep_cancel(pp_sweep_job *job) { __atomic_store_n(&job->stop, 1, __ATOMIC_RELAXED); }

void pp_sweep_finish(pp_sweep_job *job)
{
    for (int i = 0; i < job->threads; i++)
        pthread_join(job->thread[i], NULL);
    pthread_cond_destroy(&job->ended);
    pthread_mutex_destroy(&job->lock);
    free(job);
}

void pp_sweep_derive(const pp_sweep *s, const int *fields, int count, double *out)
{
    for (long i = 0; i < s->cases; i++) {
        pp_params params;
        pp_machine machine;
        int bad = -1;
        pp_status status = case_params(s, i, &params, &bad);
        if (status == PP_OK)
            status = pp_machine_derive(&params, &machine);
        s->status[i] = (uint8_t)status;
        if (s->where)
            s->where[i] = (int16_t)bad;
        for (int f = 0; f < count; f++)
            out[i * count + f] = status == PP_OK ? ((const double *)&machine)[fields[f]] : NAN;
    }
}
