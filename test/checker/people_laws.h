// The laws of people and groups: marks, unread, private, same state.
#pragma once

#include "test/checker/reference.h"

namespace tidings::checker {

void judge_people(const History& history, const Reference& reference, const Blame& blame);

}  // namespace tidings::checker
