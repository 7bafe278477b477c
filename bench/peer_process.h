// A program of another language that times what others have, turn by turn with ours: bench/peers-routing.
//
// What it is asked and answers: bench/peers-routing/src/main.rs. Every failure ends this program with a word on it.
#pragma once

#include <sys/types.h>

#include <cstdio>
#include <string>
#include <string_view>

#include "base/bytes.h"

namespace planetserve::bench {

class PeerProcess {
public:
    explicit PeerProcess(const std::string& program);
    ~PeerProcess();
    PeerProcess(const PeerProcess&) = delete;
    PeerProcess& operator=(const PeerProcess&) = delete;

    void write(ByteView bytes);
    // As the program reads it: little-endian.
    void write_u32(std::size_t value);
    // Its next line, without the end.
    std::string line();
    // Microseconds a call.
    double time(std::string_view index, std::string_view operation, std::size_t calls);

private:
    pid_t child_ = -1;
    std::FILE* to_ = nullptr;
    std::FILE* from_ = nullptr;
};

}  // namespace planetserve::bench
