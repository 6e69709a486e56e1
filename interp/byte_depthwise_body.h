// The loops of depthwise convolutions of byte_kernel.h. Included once by each variant, which has
// defined
//   Lanes                      a register of int32 lanes
//   kTaps                      taps of a lane
//   kTogether                  spans of outputs whose accumulators fit the registers
//   multiply_add(acc, x, w)    acc + sum of the products of the taps of each lane
//   steps_near(acc, multiplier, high)  acc * multiplier, rounded half to even; what lies above
//                              `high` or below -2^15 may become anything outside on that side
//   Rounded{zero, is_signed}   how store_span makes bytes of steps, with its constants
//   store_span(v, rounded, to, n)  the first n of the lanes of v + zero, saturated
//   gather_span(rows, at, flip, to)  DepthwiseGather of kSpan elements, from element `at` on

constexpr int64_t kUnit = 4 * sizeof(Lanes) / sizeof(int32_t);  // elements computed together

FETTLE_INLINE Lanes load_lanes(const void* from) {
  Lanes v;
  __builtin_memcpy(&v, from, sizeof v);
  return v;
}

void gather(const DepthwiseGather& d) {
  const uint8_t* rows[kTaps];
#pragma GCC unroll 1
  for (int64_t t = 0; t < kTaps; ++t) rows[t] = d.rows[t];
  for (int64_t p = 0; p < d.pieces; ++p) {
    const bool beyond = d.beyond || (d.pieces - 1 - p) * d.row_step >= kSpan;
    const int64_t end = beyond ? d.n : d.n - d.n % kSpan;
    const int64_t from = p * d.row_step;
    uint8_t* to = d.to + p * d.to_step * kLane;
    int64_t at = 0;
    for (; at < end; at += kSpan) gather_span(rows, from + at, d.flip, to + at * kLane);
    if (at >= d.n) continue;
    uint8_t last[kTaps][kSpan] = {};
    const uint8_t* taps_of[kTaps];
    for (int64_t t = 0; t < kTaps; ++t) {
      __builtin_memcpy(last[t], rows[t] + from + at, static_cast<size_t>(d.n - at));
      taps_of[t] = last[t];
    }
    gather_span(taps_of, 0, d.flip, to + at * kLane);
  }
}

// Spans of kUnit outputs that have the same channels, of each of which `n` are stored.
struct DepthwiseColumn {
  const uint8_t* taps;  // of the first span
  int64_t taps_step;    // bytes from span to span
  const int64_t* offsets;
  int64_t groups;
  const uint8_t* w;
  int64_t w_step;  // bytes from group to group
  const uint8_t* bias;
  const float* multiplier;
  float high;
  Rounded rounded;
  uint8_t* out;
  int64_t out_step;
  int64_t n;
};

// kSpans of them, of which kRegisters (1 to 4) are computed.
template <int kSpans, int kRegisters>
FETTLE_INLINE void depthwise_spans(const DepthwiseColumn& d, const uint8_t* taps, uint8_t* out) {
  constexpr int64_t kRegister = sizeof(Lanes);
  Lanes acc[kSpans][4] = {};
#pragma GCC unroll 4
  for (int r = 0; r < kRegisters; ++r) {
    const Lanes from = load_lanes(d.bias + r * kRegister);
#pragma GCC unroll 4
    for (int s = 0; s < kSpans; ++s) acc[s][r] = from;
  }
  const uint8_t* w = d.w;
  for (int64_t g = 0; g < d.groups; ++g, w += d.w_step) {
    const uint8_t* x[kSpans];
    x[0] = taps + d.offsets[g];
#pragma GCC unroll 4
    for (int s = 1; s < kSpans; ++s) x[s] = x[s - 1] + d.taps_step;
#pragma GCC unroll 4
    for (int r = 0; r < kRegisters; ++r) {
      const Lanes weights = load_lanes(w + r * kRegister);
#pragma GCC unroll 4
      for (int s = 0; s < kSpans; ++s) {
        acc[s][r] = multiply_add(acc[s][r], load_lanes(x[s] + r * kRegister), weights);
      }
    }
  }
#pragma GCC unroll 4
  for (int s = 0; s < kSpans; ++s) {
#pragma GCC unroll 4
    for (int r = 0; r < kRegisters; ++r) {
      acc[s][r] = steps_near(acc[s][r], d.multiplier + r * (kUnit / 4), d.high);
    }
    store_span(acc[s], d.rounded, out + s * d.out_step, d.n);
  }
}

// `count` spans, kTogether at a time.
template <int kRegisters>
void depthwise_column(const DepthwiseColumn& column, int64_t count) {
  const DepthwiseColumn d = column;  // which no store can change
  const uint8_t* taps = d.taps;
  uint8_t* out = d.out;
  int64_t s = 0;
  for (; s + kTogether <= count; s += kTogether) {
    depthwise_spans<kTogether, kRegisters>(d, taps, out);
    taps += kTogether * d.taps_step;
    out += kTogether * d.out_step;
  }
  for (; s < count; ++s) {
    depthwise_spans<1, kRegisters>(d, taps, out);
    taps += d.taps_step;
    out += d.out_step;
  }
}

void depthwise_column(const DepthwiseColumn& d, int64_t count) {
  switch ((d.n + kUnit / 4 - 1) / (kUnit / 4)) {
    case 1:
      return depthwise_column<1>(d, count);
    case 2:
      return depthwise_column<2>(d, count);
    case 3:
      return depthwise_column<3>(d, count);
    default:
      return depthwise_column<4>(d, count);
  }
}

// The column whose first span begins with channel `first`, from element `at` on.
FETTLE_INLINE DepthwiseColumn column_at(const DepthwiseBlock& d, int64_t at, int64_t first) {
  DepthwiseColumn c;
  c.taps = d.taps + at * kLane;
  c.taps_step = d.step * kLane;
  c.offsets = d.offsets;
  c.groups = d.groups;
  c.w = d.w + first * kLane;
  c.w_step = depthwise_lanes(d.channels) * kLane;
  c.bias = reinterpret_cast<const uint8_t*>(d.result.bias + first);
  c.multiplier = d.result.multiplier + first;
  c.high = static_cast<float>(d.result.highest - d.result.zero_point);
  c.rounded = {d.result.zero_point, d.result.lowest < 0};
  c.out = d.out + at;
  c.out_step = d.channels;
  c.n = kUnit;
  return c;
}

// Instructions that it takes to compute `count` registers of outputs in `spans` spans when weights
// are loaded for `together` spans at a time.
constexpr int64_t depthwise_cost(int64_t count, int64_t spans, int64_t groups, int64_t together) {
  const int64_t shared = together < 1 ? 1 : together < kTogether ? together : kTogether;
  return count * (groups + 4 + groups / shared) + spans * 5;
}

// Where positions lie side by side in the taps, all can be one string of elements, whose spans meet
// the same channels again after `period` spans.
void depthwise_string(const DepthwiseBlock& d, int64_t period) {
  const int64_t total = d.positions * d.channels;
  const int64_t step = period * kUnit;
  int64_t channel = 0;
  for (int64_t first = 0; first < total && first < step; first += kUnit) {
    const int64_t count = total - first < kUnit ? 0 : (total - first - kUnit) / step + 1;
    DepthwiseColumn c = column_at(d, first, channel);
    c.taps_step = step * kLane;
    c.out_step = step;
    if (count > 0) depthwise_column(c, count);
    c.n = total - first - count * step;
    c.taps += count * c.taps_step;
    c.out += count * step;
    if (c.n > 0) depthwise_column(c, 1);
    channel = (channel + kUnit) % d.channels;
  }
}

// Otherwise the spans of every position begin with its first channel.
void depthwise(const DepthwiseBlock& d) {
  constexpr int64_t kRegister = kUnit / 4;
  const int64_t total = d.positions * d.channels;
  const int64_t spans = (total + kUnit - 1) / kUnit;
  int64_t divisor = kUnit;
  while (d.channels % divisor != 0) divisor /= 2;
  const int64_t period = d.channels / divisor;
  const int64_t string = depthwise_cost(4 * spans, spans, d.groups, spans / period);
  const int64_t apart =
      depthwise_cost(d.positions * ((d.count + kRegister - 1) / kRegister),
                     d.positions * ((d.count + kUnit - 1) / kUnit), d.groups, d.positions);
  if (d.step == d.channels && d.count == d.channels && string < apart) {
    depthwise_string(d, period);
    return;
  }
  for (int64_t first = 0; first < d.count; first += kUnit) {
    DepthwiseColumn c = column_at(d, first, first);
    c.n = d.count - first < kUnit ? d.count - first : kUnit;
    depthwise_column(c, d.positions);
  }
}
