#include "base/clock.h"

#include <time.h>

#if defined(_WIN32)
#include <windows.h>
#else
#include <unistd.h>
#endif

#if defined(_WIN32)
double br_clock_seconds(void)
{
    LARGE_INTEGER now;
    QueryPerformanceCounter(&now);
    return br_clock_from_ticks((uint64_t)now.QuadPart);
}

double br_clock_from_ticks(uint64_t ticks)
{
    LARGE_INTEGER frequency;
    QueryPerformanceFrequency(&frequency);
    return (double)ticks / (double)frequency.QuadPart;
}

double br_clock_thread_seconds(void)
{
    FILETIME created, ended, kernel, user;
    GetThreadTimes(GetCurrentThread(), &created, &ended, &kernel, &user);
    uint64_t ticks =
        ((uint64_t)kernel.dwHighDateTime << 32 | kernel.dwLowDateTime) + ((uint64_t)user.dwHighDateTime << 32 | user.dwLowDateTime);
    return (double)ticks * 1e-7;
}
#else
static double read_clock(clockid_t clock)
{
    struct timespec now = {0};
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

double br_clock_seconds(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

double br_clock_from_ticks(uint64_t ticks)
{
    return (double)ticks * 1e-9;
}

double br_clock_thread_seconds(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}
#endif

int64_t br_clock_seed(void)
{
    uint32_t seed;
#if defined(_WIN32)
    LARGE_INTEGER now;
    QueryPerformanceCounter(&now);
    seed = (uint32_t)(now.QuadPart * 2654435761u) ^ (uint32_t)GetCurrentProcessId();
#else
    if (getentropy(&seed, sizeof seed))
        seed = (uint32_t)(br_clock_seconds() * 1e9) ^ (uint32_t)getpid();
#endif
    return seed;
}
