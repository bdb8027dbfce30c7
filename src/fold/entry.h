// Dedupe entries: what a repeat of a command is answered with (protocol.md §6), and where they are kept. The
// newest stand in the decision state; older ones leave it in blocks, those that came out of order singly.
#pragma once

#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "model/ids.h"
#include "ports/store.h"

namespace tidings::fold {

struct Entry {
  model::Seq seq;
  model::Ord ord;
  model::MessageId id;  // holds the time
  uint64_t body_hash = 0;
  model::Position position;
  friend bool operator==(const Entry&, const Entry&) = default;
};
struct KeyedEntry {
  model::ClientId client_id;
  Entry entry;
  friend bool operator==(const KeyedEntry&, const KeyedEntry&) = default;
};

inline constexpr size_t entry_block_size = 16;
inline constexpr size_t newest_entries_max = 24;  // with one more, the oldest entry_block_size leave

// The entries of one person in one conversation, as far as the decision state holds them.
class Entries {
 public:
  // No command with this id, or a later one of version 7, was accepted before: it is new without a look-up.
  bool is_above(const model::ClientId& id) const;
  const Entry* find(const model::ClientId& id) const;
  const Entry* at(model::Position position) const;

  struct Left {
    std::optional<KeyedEntry> single;
    std::vector<KeyedEntry> block;  // empty or entry_block_size of them
  };
  // Files the entry of an accepted command; what belongs into rows of its own from now on is returned.
  Left add(const model::ClientId& id, const Entry& entry);

  const std::vector<KeyedEntry>& newest() const { return newest_; }

  void encode(base::Writer& writer) const;
  static std::optional<Entries> decode(base::Reader& reader);
  friend bool operator==(const Entries&, const Entries&) = default;

 private:
  std::optional<model::ClientId> highest_;  // highest version-7 client id that has an entry
  std::vector<KeyedEntry> newest_;          // of the newest version-7 ids, growing
};

base::Bytes encode_entry(const Entry& entry);
base::Bytes encode_block(const std::vector<KeyedEntry>& block);
// What the store found: every entry that was read, by client id. A look-up of one id answers for its block.
base::Result<std::vector<KeyedEntry>> decode_found(const ports::Store::FoundEntries& found,
                                                   const model::ClientId& id);
const Entry* find_entry(const std::vector<KeyedEntry>& entries, const model::ClientId& id);

}  // namespace tidings::fold
