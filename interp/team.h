// The threads that share the work of a step.
//
// The thread that opens a region computes shares of it like all others and takes those that nobody
// has begun, so that a region never waits for a thread that sleeps or that another process has
// pushed from its core; it only waits for shares that are under way. Opening a region costs below a
// microsecond while the others are awake, and some two microseconds to wake them.
//
// oneDNN as distributions build it shares its work through the OpenMP runtime. This file stands in
// for the few entry points of that runtime which it calls (GOMP_parallel and others, see team.cpp),
// so that its regions have the same properties and do not compete with ours for cores.
#pragma once

namespace fettle::interp {

// Cores that this process may use.
int available_cores();

// Threads, the calling one included, that regions opened by this thread may use; all cores unless
// set.
int team_size();
void set_team_size(int size);

// Calls share(data) once for every share in [0, count), in any order and several at a time;
// share_index() tells which. Returns when all are done. Shares must not throw. Threads treat
// subnormal numbers as the caller does. Within a region it computes all shares in the calling
// thread. Shares of one region may wait for each other if there are no more of them than
// team_size().
void run_shares(int count, void (*share)(void*), void* data);
int share_index();

}  // namespace fettle::interp
