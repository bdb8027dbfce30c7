// From a text message to its frames: what both directions share.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "wire/frames.h"
#include "wire/json_reader.h"

namespace tidings::wire {

// Calls `read(type, fields, request)` for every frame object of the message in order and collects what it
// returns. What is wrong with the message as a whole, or with a frame before its type is known, ends the list
// with `closes`.
template <class Frame, class Read>
std::vector<base::Result<Frame, FrameProblem>> read_frames(std::string_view message, size_t depth_max,
                                                           Read read) {
  std::vector<base::Result<Frame, FrameProblem>> out;
  const auto close = [&](std::string detail) {
    out.push_back(base::fail(FrameProblem{Code::bad_frame, std::move(detail), std::nullopt, true}));
  };
  auto text = parse_json(message, depth_max);
  if (!text) {
    close(std::move(text.error()));
    return out;
  }
  size_t index = 0;
  // False: nothing more is read.
  const auto one = [&](JsonValue value) {
    JsonObject object;
    if (value.get(object) != simdjson::SUCCESS) return close("A frame is a JSON object."), false;
    Fields fields(object);
    const auto type = fields.optional_text("type");
    if (!type) return close("A frame has a string type."), false;
    auto request = fields.optional_number("request");
    if (request && *request == 0) fields.complain("request", "is 0"), request.reset();
    base::Result<Frame, FrameProblem> frame = read(*type, fields, request);
    if (text->is_spoiled(index)) fields.complain("A string", "has half a surrogate pair");
    if (frame.ok() && !fields.ok()) {
      frame = base::fail(FrameProblem{Code::bad_request, fields.complaint(), request, false});
    }
    out.push_back(std::move(frame));
    ++index;
    return true;
  };
  JsonArray several;
  if (text->root.get(several) != simdjson::SUCCESS) {
    one(text->root);
    return out;
  }
  for (const JsonValue value : several) {
    if (!one(value)) break;
  }
  return out;
}

}  // namespace tidings::wire
