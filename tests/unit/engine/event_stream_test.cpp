// SPDX-License-Identifier: Apache-2.0
//
// The queue between the engine's thread and a reader: order, bound, end, and who wakes whom; and who fills the queues.
#include "engine/event_stream.h"

#include <gtest/gtest.h>

#include <thread>

namespace glint {
namespace {

Event token(int32_t id) {
  Event event;
  event.id = id;
  return event;
}
Event last() {
  Event event;
  event.finish = Finish{};
  return event;
}

TEST(EventStream, EventsComeInOrderAndThenItIsOver) {
  const auto queue = std::make_shared<EventQueue>(2, 10, std::make_shared<Doorbell>());
  Stream stream(queue);
  queue->push(token(1));
  queue->push(last());
  EXPECT_EQ(stream.next()->id, 1);
  EXPECT_TRUE(stream.next()->finish);
  EXPECT_FALSE(stream.is_over());  // one of two completions
  EXPECT_FALSE(stream.next_within(std::chrono::milliseconds(1)));
  queue->push(last());
  EXPECT_TRUE(stream.next()->finish);
  EXPECT_TRUE(stream.is_over());
  EXPECT_FALSE(stream.next());
}

TEST(EventStream, FullIsRungForWhenThereIsRoomAgain) {
  const auto bell = std::make_shared<Doorbell>();
  const auto queue = std::make_shared<EventQueue>(1, 2, bell);
  queue->push(token(1));
  EXPECT_FALSE(queue->is_full());
  queue->push(token(2));
  EXPECT_TRUE(queue->is_full());
  std::thread reader([&] { queue->pop(std::nullopt); });
  bell->wait();
  EXPECT_FALSE(queue->is_full());
  reader.join();
}

TEST(EventStream, AReaderWhoGoesAwayCancels) {
  const auto bell = std::make_shared<Doorbell>();
  const auto queue = std::make_shared<EventQueue>(1, 2, bell);
  { Stream stream(queue); }
  bell->wait();
  EXPECT_TRUE(queue->is_cancelled());
  const auto finished = std::make_shared<EventQueue>(1, 2, bell);
  finished->push(last());
  { Stream stream(finished); }
  EXPECT_FALSE(finished->is_cancelled());
}

TEST(EventStream, AWaitingReaderIsWoken) {
  const auto queue = std::make_shared<EventQueue>(1, 2, std::make_shared<Doorbell>());
  Stream stream(queue);
  std::thread writer([&] { queue->push(token(5)); });
  EXPECT_EQ(stream.next()->id, 5);
  writer.join();
}

TEST(EventStream, WakesOnceWhenThereIsSomething) {
  const auto queue = std::make_shared<EventQueue>(1, 10, std::make_shared<Doorbell>());
  Stream stream(queue);
  int n_woken = 0;
  stream.when_ready([&] { ++n_woken; });
  EXPECT_EQ(n_woken, 0);
  queue->push(token(1));
  queue->push(token(2));
  EXPECT_EQ(n_woken, 1);
  stream.when_ready([&] { ++n_woken; });  // there is something already
  EXPECT_EQ(n_woken, 2);
  EXPECT_EQ(stream.next()->id, 1);
  EXPECT_EQ(stream.next()->id, 2);
  stream.when_ready([&] { ++n_woken; });
  EXPECT_EQ(n_woken, 2);
  queue->push(last());
  EXPECT_EQ(n_woken, 3);
  EXPECT_TRUE(stream.next()->finish);
  stream.when_ready([&] { ++n_woken; });  // it is over
  EXPECT_EQ(n_woken, 4);
}

TEST(EventStream, NobodyIsWokenWhoHasGone) {
  const auto queue = std::make_shared<EventQueue>(1, 10, std::make_shared<Doorbell>());
  int n_woken = 0;
  {
    Stream(queue).when_ready([&] { ++n_woken; });
  }
  queue->push(token(1));
  EXPECT_EQ(n_woken, 0);
}

/// Whoever sends a batch, its own thread or the caller: each queue gets its events in the order in which they were
/// given, and all of them before the sender is gone.
TEST(EventSender, KeepsTheOrderOfManyAndFew) {
  constexpr int kQueues = 8, kRounds = 200;
  std::vector<std::shared_ptr<EventQueue>> queues;
  for (int i = 0; i < kQueues; ++i)
    queues.push_back(std::make_shared<EventQueue>(1, size_t{kRounds}, std::make_shared<Doorbell>()));
  {
    EventSender sender;
    for (int round = 0; round < kRounds; ++round) {
      std::vector<EventSender::Letter> batch;
      for (int i = 0; i < (round % 3 == 0 ? kQueues : 1); ++i)
        batch.push_back({queues[static_cast<size_t>(i)], token(round)});
      sender.send(std::move(batch));
    }
    sender.send({});
  }
  for (int i = 0; i < kQueues; ++i) {
    Stream stream(queues[static_cast<size_t>(i)]);
    for (int round = 0; round < kRounds; round += i == 0 ? 1 : 3) {
      const std::optional<Event> event = stream.next_within(std::chrono::milliseconds(0));
      ASSERT_TRUE(event) << i << " " << round;
      EXPECT_EQ(event->id, round);
    }
    EXPECT_FALSE(stream.next_within(std::chrono::milliseconds(0)));
  }
}

}  // namespace
}  // namespace glint
