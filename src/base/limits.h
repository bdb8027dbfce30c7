// Every limit of the server, with its default (protocol.md §14). What a limit protects stands beside it; what
// happens at the limit stands where it is enforced. `welcome.limits` tells clients those that concern them.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/rate.h"

namespace tidings::base {

struct Limits {
  // --- frames and bodies
  size_t frame_bytes_max = 64 * 1024;        // a larger frame closes the connection: too_large
  size_t text_bytes_max = 16 * 1024;         // UTF-8 bytes of one text: too_large for the request
  size_t json_depth_max = 16;                // bad_frame, bad_request in REST
  size_t http_header_bytes_max = 16 * 1024;  // 431
  size_t http_headers_max = 100;             // 431
  size_t http_body_bytes_max = 64 * 1024;    // 413
  size_t page_events_max = 200;              // events in one page
  size_t page_bytes_max = 256 * 1024;        // bytes of events in one page; one event always fits
  size_t sync_rows_max = 500;                // vector rows in one sync, and rows in one answer

  // --- conversations
  size_t title_bytes_max = 200;  // UTF-8 bytes of a group's title: too_large for the request

  // --- sessions
  nanoseconds hello_timeout = std::chrono::seconds(10);         // no hello after the upgrade: hello_timeout
  nanoseconds http_request_timeout = std::chrono::seconds(10);  // no complete request after connect: closed
  nanoseconds http_idle_timeout = std::chrono::seconds(60);     // keep-alive without a request: closed
  nanoseconds heartbeat = std::chrono::seconds(30);             // what clients are told to ping at
  nanoseconds silence_timeout = std::chrono::seconds(70);       // nothing from the client: closed
  size_t hellos_in_flight_max = 256;                            // being checked, of a shard; more wait
  size_t hellos_waiting_max = 4096;                             // of a shard: busy, with the time to wait
  size_t unacked_frames_max = 512;  // counted frames of a session that are not acked, and their bytes
  size_t unacked_bytes_max =
      192 * 1024;                        // with those in its outbox: pull mode, so that no session costs more
                                         // than 256 KiB; twice the frames by answers alone: slow_consumer
  size_t outbox_bytes_high = 64 * 1024;  // unsent bytes above which a session is read no more, and given no
                                         // more to send
  size_t dirty_conversations_max = 4096;  // left out in pull mode; beyond it the client is told to sync
  nanoseconds progress_timeout = std::chrono::seconds(60);  // in pull mode or above outbox_bytes_high, and
                                                            // neither acks nor takes: slow_consumer
  nanoseconds resume_timeout = std::chrono::seconds(120);   // a session without a connection: forgotten
  size_t parked_sessions_max = 16'000;   // of a shard, without a connection; the longest is forgotten
  size_t parked_bytes_max = 128u << 20;  // unacked bytes of those of a shard; beyond it they are in pull mode
  nanoseconds poll_wait = std::chrono::seconds(25);  // a long-poll without anything to tell
  size_t polls_elsewhere_max = 16'000;  // calls of a shard that wait for a session of another one: busy
  size_t polls_replaced_max = 16'000;   // sessions of long-polls that ended as replaced, of a shard, for
                                        // resume_timeout: the oldest is forgotten, and its client not told
  nanoseconds drain_window = std::chrono::seconds(5);  // sessions are asked to move, then told to go
  size_t sends_in_flight_max = 32;                     // unanswered requests of one session: busy
  size_t unacked_places_max = 512;  // places sent to a session whose ack would be a mark; beyond it delivered
                                    // is derived only after the next page
  size_t unsettled_conversations_max = 16'384;  // listed by a session's syncs and not pulled; beyond it
                                                // delivered is not derived in that session
  nanoseconds mark_interval = std::chrono::seconds(1);  // between two marks of a person in a conversation
  size_t marks_waiting_max = 100'000;  // of a gateway; beyond it the client's own mark must tell
  size_t train_people_min = 8;         // so many hear the same in one piece, not event by event
  size_t train_bytes_max = 16 * 1024;  // of one piece; the next begins then
  size_t audience_people_min = 32;     // of whom it is remembered who hears them
  size_t audiences_max = 64;           // remembered by a gateway and by a core shard; the oldest is forgotten
  size_t refused_client_ids_max = 32;  // remembered for `previous`; the oldest is forgotten
  size_t connections_max = 16'000;     // per process, below its open-files limit: closed at accept

  // --- the way of a command
  nanoseconds until_grace = std::chrono::seconds(30);  // `until` = log time + this
  size_t log_queue_bytes_max = 64u << 20;              // appended, not yet written: busy
  size_t log_group_records_max = 4096;                 // records in one group
  size_t log_group_bytes_max = 4u << 20;
  size_t link_queue_bytes_max = 64u << 20;     // waiting for one gateway: dropped and a gap declared
  size_t gateway_links_max = 4096;             // connections of gateway processes: closed at accept
  size_t account_calls_in_flight_max = 4096;   // of a gateway process at its core: busy
  size_t control_queue_bytes_max = 16u << 20;  // waiting for one gateway process: its connection is closed
  nanoseconds core_silence_timeout =
      std::chrono::seconds(5);  // a core that says nothing to a gateway process,
                                // or it to the core, for so long: gone

  // --- delivery
  size_t states_max = 200'000;       // decision states in memory per shard: new loads answer busy
  size_t loads_in_flight_max = 256;  // per shard; beyond it dispatch waits
  size_t overtaking_records_max =
      1024;  // records that may overtake a suspended one; beyond it dispatch waits
  size_t unflushed_records_max = 16'384;   // folded while a flush is under way; beyond it dispatch waits
  size_t undispatched_records_max = 4096;  // records of a shard that wait for dispatch: new ones hear busy,
                                           // or those who heard nothing would send again what waits already
  size_t undispatched_bytes_max = 64u << 20;  // records of a shard that wait for dispatch: new ones hear
                                              // busy, and a replay pauses
  nanoseconds receipt_interval = std::chrono::seconds(1);  // between two receipt frames of a conversation
  size_t effects_in_flight_max = 4096;                     // of a shard, appended and not yet back
  nanoseconds feed_age_max = std::chrono::hours(24 * 7);
  size_t feed_bytes_max = 1u << 30;
  size_t chunk_bytes_max = 64 * 1024;  // events in one row of the store; one event always fits
  size_t flush_records_max = 4096;     // folded records of one shard that make a flush due
  nanoseconds flush_interval = std::chrono::milliseconds(200);
  nanoseconds store_sync_interval = std::chrono::seconds(10);
  size_t queries_in_flight_max = 1024;  // pulls and syncs per shard: busy

  // --- accounts
  size_t password_hashes_queued_max = 64;  // log-ins and sign-ups that wait for Argon2id: busy
  nanoseconds token_lifetime = std::chrono::hours(24);
  nanoseconds refresh_lifetime = std::chrono::hours(24 * 90);     // from the last refresh
  nanoseconds rotated_token_lifetime = std::chrono::seconds(60);  // of the token before the newest one
  size_t device_removals_max = 1024;  // logged out, and that is not written down yet: busy
  size_t devices_max = 10;            // of one person; the least recently made is logged out by a new log-in
  size_t invites_max = 20;            // unused ones of one person: limit
  nanoseconds invite_lifetime = std::chrono::hours(24 * 7);
  nanoseconds seen_interval = std::chrono::seconds(60);  // "last seen" is written at most this often
  size_t seen_rows_max = 1024;                           // in one transaction; the rest waits for the next
  // Wrong passwords in a row that cost no pause, of one handle and of one address; then each one doubles it.
  size_t log_in_failures_handle = 5;
  size_t log_in_failures_address = 50;
  nanoseconds log_in_pause_min = std::chrono::seconds(1);
  nanoseconds log_in_pause_max = std::chrono::seconds(60);
  nanoseconds log_in_failures_kept = std::chrono::minutes(15);  // after the last one they are forgotten
  size_t log_in_failures_max = 20'000;  // handles and addresses remembered; the least recent is forgotten

  // --- rates: beyond them rate_limited, with the time to wait. Addresses of this machine have none.
  // At each gateway shard:
  Rate person_sends{10, std::chrono::seconds(1), 60};        // messages of a person, repeated ones too
  Rate person_groups{30, std::chrono::hours(1), 10};         // groups that a person makes
  Rate person_additions{500, std::chrono::hours(1), 2'000};  // people that a person puts into groups
  Rate device_requests{100, std::chrono::seconds(1), 500};   // what a device asks, by frame or REST
  Rate address_hellos{30, std::chrono::minutes(1), 30};      // hellos of an address: the connection is closed
  Rate address_log_ins{30, std::chrono::minutes(1), 30};     // log-ins and sign-ups of an address
  Rate address_calls{50, std::chrono::seconds(1), 500};      // REST calls of an address, whoever asks
  // At the core shard that owns the conversation, before the append:
  Rate conversation_commands{200, std::chrono::seconds(1), 400};  // commands in a conversation
  // Of the process; each gateway shard has its part:
  Rate process_requests{50'000, std::chrono::seconds(1), 100'000};  // what all devices ask
  size_t rate_buckets_max = 50'000;  // of one kind and shard that are not full; the least recent is forgotten

  // Everything above about rates is lifted: for measuring and fault runs (`limits.profile` = bench).
  void lift_rates() {
    for (Rate* rate : {&person_sends, &person_groups, &person_additions, &device_requests, &address_hellos,
                       &address_log_ins, &address_calls, &conversation_commands, &process_requests})
      *rate = Rate{};
  }
};

}  // namespace tidings::base
