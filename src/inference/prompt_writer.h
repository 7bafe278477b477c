// Writes the elements of the canonical serialisation. Texts are UTF-8, which has no byte 255, so no text can hold a
// mark.
#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <limits>
#include <string_view>

#include "base/bytes.h"

namespace planetserve::inference {

// A mark is a byte 255 and one of these.
enum class Mark : std::uint8_t {
    message = 1,    // role
    content = 2,    // after a message's role, a setting's name or a tool's name
    next_text = 3,  // a further text of the same content
    other = 4,      // an image, a sound, a document, ...: its SHA-256 in hexadecimal
    call = 5,       // of a tool: name
    arguments = 6,  // of a call, or the parameters a tool has
    tool = 7,       // one offered: name
    setting = 8,    // of the template: name
    text = 9,       // a prompt that is text without a template
    tokens = 10,    // a prompt of token ids: 4 bytes each
};
inline constexpr std::uint8_t mark_byte = 0xff;

class PromptWriter {
public:
    // Writes nothing that would make the string longer than the limit.
    explicit PromptWriter(Bytes& out, std::size_t limit = std::numeric_limits<std::size_t>::max())
        : out_(out), limit_(limit) {}
    bool full() const { return full_; }

    void mark(Mark mark);
    // Leaves out bytes 255, which valid UTF-8 does not have.
    void text(std::string_view text);
    void token(std::uint32_t id);
    void begin_message(std::string_view role);
    // Arguments that are JSON are written without white space, and empty ones as an empty object.
    void call(std::string_view name, std::string_view arguments);
    // Anything whose tokens only the engine knows. Leaves out marks of what a server may cache: they move as a
    // conversation grows.
    void other(const boost::json::value& value);

private:
    bool has_room(std::size_t size);

    Bytes& out_;
    std::size_t limit_;
    bool full_ = false;
};

// The role that a chat template sees.
std::string_view template_role(std::string_view role);

}  // namespace planetserve::inference
