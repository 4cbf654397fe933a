#include "api/fairness/seat_shares.h"

#include <algorithm>
#include <cmath>

namespace keelson::api {
namespace {

constexpr double kSmoothing = 0.977;  // a half-life of five minutes at ten seconds a period
constexpr double kTargetMin = 0.001;  // whoever wants nothing still gets a part of what is over

int rounded(double seats) {
  return static_cast<int>(std::llround(seats));
}

int percent_of(int seats, std::int64_t percent) {
  return rounded(static_cast<double>(seats) * static_cast<double>(percent) / 100);
}

// What a level is not pressed below while it has a use for it.
int floor_of(const SeatShare& share) {
  return share.exempt ? std::max(share.least, share.peak)
                      : std::max(share.least, std::min(share.nominal, share.peak));
}

}  // namespace

void SeatDemand::advance(Instant now) {
  if (last_.is_zero()) from_ = last_ = now;
  if (now <= last_) return;
  const double seconds = (now - last_).to_seconds();
  sum_ += seconds * seats_;
  squares_ += seconds * seats_ * seats_;
  last_ = now;
}

void SeatDemand::set(int seats, Instant now) {
  advance(now);
  seats_ = seats;
  peak_ = std::max(peak_, seats);
}

SeatDemand::Period SeatDemand::end_period(Instant now) {
  advance(now);
  Period out;
  out.peak = peak_;
  const double seconds = (last_ - from_).to_seconds();
  if (seconds > 0) {
    out.empty = false;
    out.average = sum_ / seconds;
    out.deviation = std::sqrt(std::max(0.0, squares_ / seconds - out.average * out.average));
  }
  from_ = last_;
  sum_ = squares_ = 0;
  peak_ = seats_;
  return out;
}

SeatShare seat_share(bool exempt, std::int64_t shares, std::int64_t shares_all, int seats_all,
                     std::int64_t lendable_percent, std::int64_t borrowing_percent) {
  SeatShare out;
  out.exempt = exempt;
  if (shares_all > 0)
    out.nominal = static_cast<int>((shares * seats_all + shares_all - 1) / shares_all);
  out.least = out.nominal - percent_of(out.nominal, lendable_percent);
  out.most = out.nominal +
             (borrowing_percent < 0 ? seats_all : percent_of(out.nominal, borrowing_percent));
  out.current = out.nominal - (out.nominal - out.least) / 2;
  return out;
}

void note_demand(SeatShare& share, const SeatDemand::Period& period) {
  share.peak = period.peak;
  if (period.empty) return;
  const double wanted = period.average + period.deviation;
  share.smoothed = std::max(wanted, kSmoothing * share.smoothed + (1 - kSmoothing) * wanted);
}

std::vector<double> in_proportion(double sum, const std::vector<Bounded>& all) {
  // The sum grows with the multiple, piece by piece straight; the pieces end where someone leaves
  // a lower bound or meets an upper one.
  struct Bend {
    double at, slope;
  };
  std::vector<Bend> bends;
  double reached = 0;
  for (const Bounded& one : all) {
    const double target = std::max(one.target, kTargetMin);
    bends.push_back({one.lower / target, target});
    bends.push_back({one.upper / target, -target});
    reached += one.lower;
  }
  std::sort(bends.begin(), bends.end(), [](const Bend& a, const Bend& b) { return a.at < b.at; });
  double multiple = 0, slope = 0;
  for (const Bend& bend : bends) {
    const double gained = (bend.at - multiple) * slope;
    if (slope > 0 && reached + gained >= sum) break;
    reached += gained;
    multiple = bend.at;
    slope += bend.slope;
  }
  if (slope > 0) multiple += std::max(0.0, sum - reached) / slope;
  std::vector<double> out;
  for (const Bounded& one : all)
    out.push_back(std::clamp(multiple * std::max(one.target, kTargetMin), one.lower, one.upper));
  return out;
}

void deal_seats(const std::vector<SeatShare*>& shares) {
  int seats_all = 0, least_all = 0, floor_all = 0;
  for (const SeatShare* share : shares) seats_all += share->nominal;
  int left = seats_all;
  std::vector<Bounded> limited;
  for (SeatShare* share : shares) {
    const int floor = floor_of(*share);
    if (share->exempt) {
      share->current = floor;
      left -= floor;
      continue;
    }
    least_all += share->least;
    floor_all += floor;
    limited.push_back({std::max<double>(floor, share->smoothed), static_cast<double>(floor),
                       static_cast<double>(std::max(floor, share->most))});
  }
  const bool scarce = left <= floor_all;
  const std::vector<double> dealt = scarce ? std::vector<double>() : in_proportion(left, limited);
  const double part = left <= least_all ? 0
                                        : static_cast<double>(left - least_all) /
                                              std::max(1, floor_all - least_all);
  std::size_t at = 0;
  for (SeatShare* share : shares) {
    if (share->exempt) continue;
    share->current = scarce ? share->least + rounded((floor_of(*share) - share->least) * part)
                            : rounded(dealt[at]);
    ++at;
  }
}

}  // namespace keelson::api
