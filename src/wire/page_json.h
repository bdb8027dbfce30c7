// The fields of a page, as the frame and REST both have them.
#pragma once

#include <string>
#include <vector>

#include "wire/frames.h"
#include "wire/json_writer.h"

namespace tidings::wire {

// Into an object that is open. `events` are whole frames as encode_event wrote them; page.events and
// page.request are not looked at.
void write_page(JsonWriter& json, const PageFrame& page, const std::vector<std::string>& events);

}  // namespace tidings::wire
