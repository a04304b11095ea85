// SPDX-License-Identifier: Apache-2.0
#include "sonde/base/ids.h"

#include <bit>
#include <cstdint>
#include <cstring>
#include <random>

namespace sonde {
namespace {

// splitmix64, the recommended way to fill xoshiro's state from one number (Blackman and Vigna,
// 2018).
uint64_t SplitMix(uint64_t& state) {
  state += 0x9e3779b97f4a7c15;
  uint64_t z = state;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

uint64_t RandomSeed() {
  std::random_device device;
  return static_cast<uint64_t>(device()) << 32 | device();
}

}  // namespace

IdGenerator::IdGenerator() : IdGenerator(RandomSeed()) {}

IdGenerator::IdGenerator(uint64_t seed) {
  for (uint64_t& word : state_) word = SplitMix(seed);
}

uint64_t IdGenerator::Next() {
  const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

TraceId IdGenerator::NewTraceId() {
  const uint64_t words[2] = {
      Next(), Next() | 1};  // the set bit keeps the id valid whatever the generator gives
  TraceId id;
  std::memcpy(id.bytes.data(), words, sizeof(words));
  return id;
}

SpanId IdGenerator::NewSpanId() {
  const uint64_t word = Next() | 1;
  SpanId id;
  std::memcpy(id.bytes.data(), &word, sizeof(word));
  return id;
}

}  // namespace sonde
