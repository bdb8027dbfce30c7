// What the tables of accounts.sqlite are, and how older files become today's.
#pragma once

#include <sqlite3.h>

#include "base/result.h"

namespace tidings::embedded {

inline constexpr int accounts_schema_number = 2;

// Makes the tables of an empty file, or brings an older one up to date; all of it or nothing. Fails with half
// a sentence, also for the file of a newer server, in which nothing is changed then.
base::Status bring_up_to_date(sqlite3* db);

}  // namespace tidings::embedded
