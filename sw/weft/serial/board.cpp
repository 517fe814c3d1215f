// A prototype board behind a pseudo-terminal: the compiled FPGA top, and a UART of the same speed at its pins.
//
// Compiled with TOP_HEADER, TOP_MODEL and DIVISOR (cycles a bit). The host's bytes come from the terminal and go out on rx; what
// the board sends on tx is sampled in the middle of each bit and written to the terminal. A board at rest is slowed down,
// so that it costs little.
#include TOP_HEADER

#include <cerrno>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include <poll.h>
#include <unistd.h>

namespace weft {
std::string& printed();
}

namespace {

constexpr unsigned divisor = DIVISOR;
constexpr unsigned frame_bits = 10;
constexpr unsigned reset_cycles = 8;
constexpr unsigned slice_cycles = 256;
constexpr std::uint64_t rest_after_cycles = 100'000;
constexpr int rest_ms = 2;

class Board {
public:
    Board() : model_(&context_) {
        context_.fatalOnError(false);
        model_.clk = 0;
        model_.rx = 1;
        model_.rst = 1;
        for (unsigned i = 0; i < reset_cycles; ++i) tick();
        context_.gotError(false);
        context_.gotFinish(false);
        weft::printed().clear();
        model_.rst = 0;
    }

    // Runs until ``stop`` is not zero, or an assertion fails, whose text it returns.
    std::string run(int terminal, const volatile int* stop) {
        while (!*stop) {
            receive(terminal);
            for (unsigned i = 0; i < slice_cycles; ++i) {
                drive();
                tick();
                sample();
                ++cycle_;
            }
            if (context_.gotError() || context_.gotFinish())
                return "hardware assertion failed in cycle " + std::to_string(cycle_) + ": " + weft::printed();
            transmit(terminal);
        }
        return {};
    }

private:
    void tick() {
        // every toggle is a cycle (weft_sim.rtl.wrapper)
        model_.clk = !model_.clk;
        model_.eval();
    }

    void receive(int terminal) {
        if (next_ < to_board_.size()) return;
        to_board_.clear();
        next_ = 0;
        pollfd waiting{terminal, POLLIN, 0};
        const bool resting = cycle_ - active_cycle_ > rest_after_cycles;
        if (poll(&waiting, 1, resting ? rest_ms : 0) <= 0 || !(waiting.revents & POLLIN)) return;
        std::uint8_t bytes[4096];
        const ssize_t count = read(terminal, bytes, sizeof bytes);
        if (count > 0) to_board_.assign(bytes, bytes + count);
    }

    void transmit(int terminal) {
        if (from_board_.empty()) return;
        const ssize_t count = write(terminal, from_board_.data(), from_board_.size());
        if (count > 0) from_board_.erase(from_board_.begin(), from_board_.begin() + count);
    }

    void drive() {
        if (drive_wait_ != 0) {
            --drive_wait_;
            return;
        }
        if (drive_bits_ == 0) {
            if (next_ == to_board_.size()) return;
            // stop bit, data, start bit: the lowest goes first
            drive_shift_ = 0x200u | unsigned{to_board_[next_++]} << 1;
            drive_bits_ = frame_bits;
            active_cycle_ = cycle_;
        }
        model_.rx = drive_shift_ & 1;
        drive_shift_ >>= 1;
        --drive_bits_;
        drive_wait_ = divisor - 1;
    }

    void sample() {
        if (sample_bits_ == 0) {
            if (model_.tx) return;
            sample_bits_ = frame_bits;
            sample_wait_ = divisor / 2;
            sample_shift_ = 0;
        }
        if (sample_wait_ != 0) {
            --sample_wait_;
            return;
        }
        sample_shift_ |= unsigned{model_.tx} << (frame_bits - sample_bits_);
        sample_wait_ = divisor - 1;
        if (--sample_bits_ == 0) {
            from_board_.push_back(static_cast<std::uint8_t>(sample_shift_ >> 1));
            active_cycle_ = cycle_;
        }
    }

    VerilatedContext context_;
    TOP_MODEL model_;
    std::vector<std::uint8_t> to_board_, from_board_;
    std::size_t next_ = 0;
    std::uint64_t cycle_ = 0, active_cycle_ = 0;
    unsigned drive_bits_ = 0, drive_wait_ = 0, drive_shift_ = 0;
    unsigned sample_bits_ = 0, sample_wait_ = 0, sample_shift_ = 0;
};

}  // namespace

// Runs a board on the descriptor of a terminal until ``stop`` is not zero. Returns 0, or 1 with a text in ``message``.
extern "C" __attribute__((visibility("default"))) int weft_board_run(int terminal, const volatile int* stop, char* message,
                                                                     std::size_t size) {
    std::string text;
    try {
        text = std::make_unique<Board>()->run(terminal, stop);
    } catch (const std::exception& error) {
        text = error.what();
    }
    text.copy(message, size - 1);
    message[text.size() < size ? text.size() : size - 1] = 0;
    return text.empty() ? 0 : 1;
}
