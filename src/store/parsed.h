// ParsedValues: which entries keep their parsed form. An object takes many times more room parsed
// than as text, so of all that the store holds only what is in use stays parsed: what was parsed
// lately, and of that for longer what was asked for again in a later turn of the loop.
//
// Forms are dropped between the loop's turns alone: a reference to one is good for the turn.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>

#include "host/loop.h"
#include "store/store.h"

namespace keelson::store {

class ParsedValues : public std::enable_shared_from_this<ParsedValues> {
 public:
  ParsedValues(host::Loop& loop, ParsedLimits limits) : loop_(loop), limits_(limits) {}

  // The entry has a parsed form now.
  void add(std::weak_ptr<const Entry> entry, std::size_t bytes);
  std::uint32_t turn() const { return turn_; }

 private:
  struct One {
    std::weak_ptr<const Entry> entry;
    std::size_t bytes;
  };
  struct Queue {
    std::deque<One> entries;
    std::uint64_t bytes = 0;
    void push(One one) {
      bytes += one.bytes;
      entries.push_back(std::move(one));
    }
    One pop() {
      One one = std::move(entries.front());
      entries.pop_front();
      bytes -= one.bytes;
      return one;
    }
  };

  // Begins another turn and drops what is over the limits.
  void trim();

  host::Loop& loop_;
  const ParsedLimits limits_;
  bool woken_ = false;
  std::uint32_t turn_ = 0;
  Queue fresh_, used_;
};

}  // namespace keelson::store
