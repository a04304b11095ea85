// SPDX-License-Identifier: Apache-2.0
// Random interleavings against a known truth: whatever the order, no parent may be wrong, every
// exchange comes out exactly once, and every span id is its own.
#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "unit/trace/world.h"

namespace sonde::trace {
namespace {

// One request of the simulated service, on its way: read, some calls, answer.
struct Job {
  ExchangeId server = 0;
  Execution reader;
  Execution answerer;
  int calls_left = 0;
  ExchangeId call = 0;     // the one that is out
  ExchangeId far_end = 0;  // the server request at its other end, if that is traced
  bool far_end_done = false;
};

class Simulation {
 public:
  explicit Simulation(uint32_t seed) : random_(seed) {}

  void Run(int steps) {
    for (int i = 0; i < steps; ++i) Step();
    while (!jobs_.empty()) Advance(Pick(jobs_.size()));
    w.Tick(TraceStage::kLateClientNs);
    w.stage->Shutdown();
  }

  void Check() const {
    std::set<std::string> ids;
    for (const auto& [id, span] : w.spans) {
      EXPECT_TRUE(ids.insert(span.span_id.ToHex()).second);
      EXPECT_TRUE(span.trace_id.valid());
      const std::string method = w.Method(id);
      EXPECT_EQ(span.parent_span_id.valid(), !method.empty());
      if (method.empty()) continue;
      const auto truth = parents_.find(id);
      ASSERT_NE(truth, parents_.end()) << "exchange " << id << " has a parent by " << method;
      EXPECT_TRUE(w.IsChild(id, truth->second)) << "exchange " << id << " by " << method;
    }
    EXPECT_EQ(w.spans.size(), started_);
  }

  size_t links() const {
    size_t links = 0;
    for (const auto& [id, span] : w.spans) links += span.parent_span_id.valid() ? 1 : 0;
    return links;
  }

 private:
  uint32_t Pick(size_t n) { return static_cast<uint32_t>(random_() % n); }

  // Process 1 has a thread per request, process 2 is a loop on one thread, process 3 reads on one
  // thread and works on others. A few calls are made by threads outside any request.
  void Step() {
    if (jobs_.size() < 6 && Pick(3) == 0) {
      StartJob();
    } else if (Pick(12) == 0) {
      const ExchangeId background = w.Send(w.Connect(), World::Thread(1, 900));
      ++started_;
      w.Finish(background);
    } else if (!jobs_.empty()) {
      Advance(Pick(jobs_.size()));
    }
  }

  void StartJob() {
    Job job;
    const uint32_t process = 1 + Pick(3);
    const uint32_t thread = next_thread_++;
    job.reader = World::Thread(process, process == 1 ? thread : 100);
    job.answerer = process == 3 ? World::Thread(process, thread) : job.reader;
    job.calls_left = static_cast<int>(Pick(3));
    job.server = w.Read(w.Connect(), job.reader);
    ++started_;
    jobs_.push_back(job);
  }

  void Advance(size_t index) {
    Job& job = jobs_[index];
    if (job.call == 0 && job.calls_left > 0) {
      SendCall(job);
    } else if (job.far_end != 0 && !job.far_end_done) {
      w.Finish(job.far_end);
      job.far_end_done = true;
    } else if (job.call != 0) {
      w.Respond(job.call, job.answerer);
      w.End(job.call);
      job.call = job.far_end = 0;
    } else {
      w.Respond(job.server, job.answerer);
      w.End(job.server);
      jobs_.erase(jobs_.begin() + static_cast<std::ptrdiff_t>(index));
    }
    if (Pick(20) == 0) w.Tick(Pick(2) == 0 ? 1'000 : TraceStage::kLateClientNs);
  }

  void SendCall(Job& job) {
    --job.calls_left;
    const Link link = w.Connect();
    const bool traced = Pick(2) == 0;
    const bool server_first = traced && Pick(4) == 0;
    const Execution far = World::Thread(50, next_thread_++);
    if (server_first && saw_client_) job.far_end = w.Read(link, far);
    job.call = w.Send(link, job.answerer);
    saw_client_ = true;
    if (traced && job.far_end == 0) job.far_end = w.Read(link, far);
    job.far_end_done = false;
    parents_[job.call] = job.server;
    ++started_;
    if (job.far_end == 0) return;
    parents_[job.far_end] = job.call;
    ++started_;
  }

  World w;
  std::mt19937 random_;
  std::vector<Job> jobs_;
  std::map<ExchangeId, ExchangeId> parents_;
  uint32_t next_thread_ = 1000;
  size_t started_ = 0;
  bool saw_client_ = false;
};

TEST(InterleavingTest, NeverAWrongParent) {
  size_t links = 0;
  for (uint32_t seed = 0; seed < 10'000 && !::testing::Test::HasFailure(); ++seed) {
    Simulation simulation(seed);
    simulation.Run(40);
    simulation.Check();
    links += simulation.links();
    if (::testing::Test::HasFailure()) ADD_FAILURE() << "seed " << seed;
  }
  EXPECT_GT(links, 20'000U);  // it does link
}

}  // namespace
}  // namespace sonde::trace
