// Bare sockets of the references and of loads that are too large for a reactor's.
#pragma once

#include <cstdint>
#include <utility>

#include <netinet/in.h>
#include <sys/types.h>

namespace tidings::bench {

// Non-blocking, without delay.
void set_up(int fd);
// To an epoll set, for reading.
void add(int poll, int fd);
// A listening socket on a free port of the loopback, and where it listens.
std::pair<int, sockaddr_in> listen_on_loopback(int backlog);
sockaddr_in loopback(uint16_t port);
// Allows this process as many open files as it may have; how many these are.
uint64_t raise_file_limit();
// Waits until the child has ended; its user + system time in microseconds.
double cpu_us_of_ended(pid_t child);

}  // namespace tidings::bench
