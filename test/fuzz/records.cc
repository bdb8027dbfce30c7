// Records, chunks and what else the store and the log hold (wire/record.h).
#include "test/fuzz/target.h"
#include "wire/record_test.h"

namespace tidings::fuzz {

using namespace wire;

void feed(std::string_view bytes) {
  if (const auto chunk = decode_chunk(conversation(), bytes); chunk.ok()) {
    const auto again = decode_chunk(conversation(), chunk_of(*chunk));
    must(again.ok() && *again == *chunk, "a chunk that is written and read again is the same");
  }
  if (const auto list = decode_lineages(bytes); list.ok()) {
    const auto again = decode_lineages(encode_lineages(*list));
    must(again.ok() && *again == *list, "lineages that are written and read again are the same");
  }
  if (const auto rows = decode_feed(bytes); rows.ok()) {
    const auto again = decode_feed(encode_feed(*rows));
    must(again.ok() && *again == *rows, "a feed that is written and read again is the same");
  }
  if (const auto one = decode_step(bytes); one.ok()) {
    const auto again = decode_step(encode_step(*one));
    must(again.ok() && *again == *one, "a step that is written and read again is the same");
  }
  const auto source = effect_source(bytes);
  const auto record = decode_record(bytes);
  if (!record.ok()) {
    must(!record.error().sentence.empty(), "a refusal is a sentence");
    return;
  }
  const auto again = decode_record(encode_record(*record));
  must(again.ok() && *again == *record, "a record that is written and read again is the same");
  const auto* effect = std::get_if<model::Effect>(&*record);
  must(is_effect(bytes) == (effect != nullptr), "the first bytes tell an effect");
  if (effect) must(source == effect->source, "the first bytes tell an effect's source");
  if (const auto* command = std::get_if<model::Command>(&*record)) {
    must(body_hash(*command) == body_hash(std::get<model::Command>(*again)), "a body has one hash");
  }
}

std::vector<std::string> seeds() {
  std::vector<std::string> out{encode_lineages(lineages()), encode_feed(wire::feed()), encode_step(step)};
  for (const auto& record : records()) {
    auto bytes = encode_record(record);
    if (bytes.size() < 4096) out.push_back(std::move(bytes));
  }
  std::vector<model::Event> few;
  for (const auto& event : events()) {
    auto bytes = chunk_of({event});
    if (bytes.size() > 4096) continue;
    out.push_back(std::move(bytes));
    few.push_back(event);
  }
  out.push_back(chunk_of(few));
  return out;
}

}  // namespace tidings::fuzz
