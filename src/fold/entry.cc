#include "fold/entry.h"

#include <algorithm>

namespace tidings::fold {

namespace {

void put(base::Writer& w, const Entry& e) {
  w.varint(e.seq.value);
  w.varint(e.ord.value);
  w.fixed(e.id.value);
  w.fixed(e.body_hash);
  w.varint(e.position.value);
}
Entry take(base::Reader& r) {
  Entry e;
  e.seq = {r.varint()};
  e.ord = {r.varint()};
  e.id = {r.fixed<uint64_t>()};
  e.body_hash = r.fixed<uint64_t>();
  e.position = {r.varint()};
  return e;
}

void put(base::Writer& w, const std::vector<KeyedEntry>& entries) {
  w.varint(entries.size());
  for (const auto& e : entries) {
    w.raw(e.client_id.bytes);
    put(w, e.entry);
  }
}
bool take(base::Reader& r, std::vector<KeyedEntry>& entries, size_t count_max) {
  const uint64_t count = r.varint();
  if (!r.ok() || count > count_max) return false;
  entries.resize(count);
  for (auto& e : entries) {
    e.client_id = {r.array<16>()};
    e.entry = take(r);
  }
  return r.ok() && std::ranges::is_sorted(entries, std::ranges::less_equal{}, &KeyedEntry::client_id);
}

const Entry* find_in(const std::vector<KeyedEntry>& entries, const model::ClientId& id) {
  const auto it = std::ranges::lower_bound(entries, id, {}, &KeyedEntry::client_id);
  return it != entries.end() && it->client_id == id ? &it->entry : nullptr;
}

constexpr int version_with_time = 7;

}  // namespace

bool Entries::is_above(const model::ClientId& id) const {
  return id.version() == version_with_time && (!highest_ || id > *highest_);
}

const Entry* Entries::find(const model::ClientId& id) const {
  return find_in(newest_, id);
}

const Entry* Entries::at(model::Position position) const {
  const auto it =
      std::ranges::find_if(newest_, [&](const KeyedEntry& e) { return e.entry.position == position; });
  return it == newest_.end() ? nullptr : &it->entry;
}

Entries::Left Entries::add(const model::ClientId& id, const Entry& entry) {
  if (!is_above(id)) return {KeyedEntry{id, entry}, {}};
  highest_ = id;
  Left left;
  if (newest_.size() == newest_entries_max) {
    const auto end = newest_.begin() + static_cast<ptrdiff_t>(entry_block_size);
    left.block.assign(newest_.begin(), end);
    newest_.erase(newest_.begin(), end);
  } else if (newest_.empty()) {
    newest_.reserve(newest_entries_max);
  }
  newest_.push_back({id, entry});
  return left;
}

void Entries::encode(base::Writer& w) const {
  w.fixed(static_cast<uint8_t>(highest_.has_value()));
  if (!highest_) return;
  w.raw(highest_->bytes);
  put(w, newest_);
}

std::optional<Entries> Entries::decode(base::Reader& r) {
  Entries entries;
  const auto any = r.fixed<uint8_t>();
  if (any > 1) return std::nullopt;
  if (any == 1) {
    entries.highest_ = model::ClientId{r.array<16>()};
    if (!take(r, entries.newest_, newest_entries_max)) return std::nullopt;
    entries.newest_.reserve(newest_entries_max);
  }
  return r.ok() ? std::optional(std::move(entries)) : std::nullopt;
}

base::Bytes encode_entry(const Entry& entry) {
  base::Bytes out;
  base::Writer w(out);
  put(w, entry);
  return out;
}

base::Bytes encode_block(const std::vector<KeyedEntry>& block) {
  base::Bytes out;
  base::Writer w(out);
  put(w, block);
  return out;
}

base::Result<std::vector<KeyedEntry>> decode_found(const ports::Store::FoundEntries& found,
                                                   const model::ClientId& id) {
  std::vector<KeyedEntry> entries;
  if (found.block) {
    base::Reader r(*found.block);
    if (!take(r, entries, entry_block_size) || !r.finished())
      return base::failure("a block of dedupe entries cannot be read");
  }
  if (found.single) {
    base::Reader r(*found.single);
    const KeyedEntry single{id, take(r)};
    if (!r.finished()) return base::failure("a dedupe entry cannot be read");
    // It came later than the block, which does not have it.
    const auto at = std::ranges::lower_bound(entries, id, {}, &KeyedEntry::client_id);
    if (at != entries.end() && at->client_id == id) {
      *at = single;
    } else {
      entries.insert(at, single);
    }
  }
  return entries;
}

const Entry* find_entry(const std::vector<KeyedEntry>& entries, const model::ClientId& id) {
  return find_in(entries, id);
}

}  // namespace tidings::fold
