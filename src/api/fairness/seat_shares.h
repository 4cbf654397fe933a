// How many seats each priority level may use: its nominal share, and what levels lend each other
// when their demand differs. Every period each level's demand is looked at, and the seats of all
// are dealt out anew between what a level keeps for itself and what it may borrow at most.
// Source: Kubernetes' apiserver/pkg/util/flowcontrol (apf_controller.go, conc_alloc.go), KEP-1040.
//
// Pure. Knows no queues and no objects. Doubles, as in the original.
#pragma once

#include <vector>

#include "base/time.h"

namespace keelson::api {

// The demand for seats over a period: what is used and what waits.
class SeatDemand {
 public:
  struct Period {
    double average = 0, deviation = 0;
    int peak = 0;
    bool empty = true;  // no time has passed
  };
  void set(int seats, Instant now);
  // Ends the period and begins the next one.
  Period end_period(Instant now);

 private:
  void advance(Instant now);
  Instant from_;  // of the period
  Instant last_;
  int seats_ = 0, peak_ = 0;
  double sum_ = 0, squares_ = 0;  // over seconds
};

struct SeatShare {
  // Given: limits in seats. An exempt level takes what it needs; others get what is left.
  bool exempt = false;
  int nominal = 0, least = 0, most = 0;
  // Kept from period to period, half gone after five minutes.
  double smoothed = 0;
  int peak = 0;
  int current = 0;  // what the level may use now
};

// nominalConcurrencyShares, lendablePercent and borrowingLimitPercent (negative: unlimited).
SeatShare seat_share(bool exempt, std::int64_t shares, std::int64_t shares_all, int seats_all,
                     std::int64_t lendable_percent, std::int64_t borrowing_percent);
void note_demand(SeatShare& share, const SeatDemand::Period& period);
// Sets `current` of all.
void deal_seats(const std::vector<SeatShare*>& shares);

// The amounts that sum up to `sum` and are one multiple of their targets, within their bounds.
// Needs lower <= target, lower <= upper, and bounds that allow the sum.
struct Bounded {
  double target = 0, lower = 0, upper = 0;
};
std::vector<double> in_proportion(double sum, const std::vector<Bounded>& all);

}  // namespace keelson::api
