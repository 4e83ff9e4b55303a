import EntityModel

/// Addresses in ranges, ordered for a binary search.
///
/// The families are apart: `::ffff:127.0.0.1` is no IPv4 address here, as in Kong.
struct IPRangeSet: Sendable {
  private struct Number: Sendable, Comparable {
    var high: UInt64
    var low: UInt64

    static func < (left: Number, right: Number) -> Bool {
      left.high == right.high ? left.low < right.low : left.high < right.high
    }
  }

  private struct Range: Sendable {
    var first: Number
    var last: Number
  }

  private let four: [Range]
  private let six: [Range]

  init(_ blocks: [CIDRBlock]) {
    four = Self.merged(blocks.filter(\.base.isIPv4))
    six = Self.merged(blocks.filter { !$0.base.isIPv4 })
  }

  var isEmpty: Bool { four.isEmpty && six.isEmpty }

  func contains(_ address: IPAddress) -> Bool {
    let ranges = address.isIPv4 ? four : six
    let number = Number(high: address.high, low: address.low)
    // The last range that begins at or before the address.
    var lower = 0
    var upper = ranges.count
    while lower < upper {
      let middle = (lower + upper) / 2
      if ranges[middle].first <= number { lower = middle + 1 } else { upper = middle }
    }
    return lower > 0 && number <= ranges[lower - 1].last
  }

  private static func merged(_ blocks: [CIDRBlock]) -> [Range] {
    let ranges = blocks.map(range).sorted { $0.first < $1.first }
    var result: [Range] = []
    for range in ranges {
      if let last = result.last, range.first <= last.last {
        result[result.count - 1].last = max(last.last, range.last)
      } else {
        result.append(range)
      }
    }
    return result
  }

  private static func range(of block: CIDRBlock) -> Range {
    let bits = block.base.isIPv4 ? block.prefixLength + 96 : block.prefixLength
    let highMask = mask(bits)
    let lowMask = mask(bits - 64)
    let first = Number(high: block.base.high & highMask, low: block.base.low & lowMask)
    return Range(first: first, last: Number(high: first.high | ~highMask, low: first.low | ~lowMask))
  }

  private static func mask(_ bits: Int) -> UInt64 {
    switch bits {
    case ...0: 0
    case 64...: ~0
    default: ~0 << UInt64(64 - bits)
    }
  }
}
