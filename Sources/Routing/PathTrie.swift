/// Radix trees over path prefixes, many in one pair of arrays.
///
/// Each node holds the entries whose prefix ends there, best first. All entries whose prefix a path begins with lie on
/// the walk from the root along the path.
struct PathTrie: Sendable {
  struct Node {
    var labelStart: UInt32 = 0
    var labelLength: UInt32 = 0
    /// The children are consecutive nodes, ordered by the first byte of their labels.
    var firstChild: UInt32 = 0
    var childCount: UInt32 = 0
    var firstEntry: UInt32 = 0
    var entryCount: UInt32 = 0
    /// Nearest node above that has entries; -1 without one.
    var holderAbove: Int32 = -1
  }

  /// An entry (by its place in the order of routes) and the prefix it needs.
  struct Item {
    var prefix: [UInt8]
    var entry: Int32
  }

  private var nodes: [Node] = []
  /// First byte of each node's label, so that a search among siblings touches one line of memory.
  private var firstBytes: [UInt8] = []
  private var labels: [UInt8] = []
  private var entries: [Int32] = []

  /// Adds a tree and gives its root.
  mutating func addTree(_ items: [Item]) -> Int {
    let items = items.sorted { left, right in
      if left.prefix == right.prefix { return left.entry < right.entry }
      return left.prefix.lexicographicallyPrecedes(right.prefix)
    }
    let root = nodes.count
    nodes.append(Node())
    firstBytes.append(0)
    /// Nodes to fill: the items under them, all of which share `depth` bytes.
    var work = [(node: root, items: items.startIndex..<items.endIndex, depth: 0, holder: Int32(-1))]
    while let (node, range, depth, holder) = work.popLast() {
      var start = range.lowerBound
      nodes[node].holderAbove = holder
      nodes[node].firstEntry = UInt32(entries.count)
      while start < range.upperBound, items[start].prefix.count == depth {
        entries.append(items[start].entry)
        start += 1
      }
      nodes[node].entryCount = UInt32(start - range.lowerBound)
      let holderBelow = start > range.lowerBound ? Int32(node) : holder

      nodes[node].firstChild = UInt32(nodes.count)
      while start < range.upperBound {
        let first = items[start].prefix
        var end = start + 1
        while end < range.upperBound, items[end].prefix[depth] == first[depth] { end += 1 }
        // Sorted: what the first and the last share, all share.
        let last = items[end - 1].prefix
        var shared = depth + 1
        while shared < min(first.count, last.count), first[shared] == last[shared] { shared += 1 }
        var child = Node()
        child.labelStart = UInt32(labels.count)
        child.labelLength = UInt32(shared - depth)
        labels.append(contentsOf: first[depth..<shared])
        work.append((nodes.count, start..<end, shared, holderBelow))
        nodes.append(child)
        firstBytes.append(first[depth])
        nodes[node].childCount += 1
        start = end
      }
    }
    return root
  }

  /// The deepest node with entries on the walk along `path`; nil if there is none.
  func deepestHolder(root: Int, path: UnsafeRawBufferPointer) -> Int? {
    nodes.withUnsafeBufferPointer { nodes in
      firstBytes.withUnsafeBufferPointer { firstBytes in
        labels.withUnsafeBytes { labels in
          var node = root
          var depth = 0
          var holder = nodes[root].entryCount > 0 ? root : -1
          while depth < path.count {
            let child = Self.child(of: nodes[node], path[depth], firstBytes)
            guard child >= 0 else { break }
            let start = Int(nodes[child].labelStart)
            let length = Int(nodes[child].labelLength)
            guard path.count - depth >= length else { break }
            var index = 1
            while index < length, labels[start + index] == path[depth + index] { index += 1 }
            guard index == length else { break }
            node = child
            depth += length
            if nodes[node].entryCount > 0 { holder = node }
          }
          return holder < 0 ? nil : holder
        }
      }
    }
  }

  func holder(above node: Int) -> Int? {
    let above = nodes[node].holderAbove
    return above < 0 ? nil : Int(above)
  }

  /// Places in `entry(at:)` of a node's entries.
  func entryRange(of node: Int) -> Range<Int> {
    let start = Int(nodes[node].firstEntry)
    return start..<start + Int(nodes[node].entryCount)
  }

  func entry(at place: Int) -> Int { Int(entries[place]) }

  private static func child(of node: Node, _ byte: UInt8, _ firstBytes: UnsafeBufferPointer<UInt8>) -> Int {
    var low = Int(node.firstChild)
    var high = low + Int(node.childCount)
    while high - low > 8 {
      let middle = (low + high) / 2
      if firstBytes[middle] <= byte { low = middle } else { high = middle }
    }
    while low < high {
      if firstBytes[low] == byte { return low }
      low += 1
    }
    return -1
  }
}
