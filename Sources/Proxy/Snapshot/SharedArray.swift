/// An array whose copies share what is the same in both: changing an element of a copy copies the 64 that lie with it,
/// not all.
struct SharedArray<Element: Sendable>: Sendable {
  private static var chunkSize: Int { 64 }

  private var chunks: [[Element]] = []
  private(set) var count = 0

  init() {}

  init(_ elements: [Element]) {
    count = elements.count
    for start in stride(from: 0, to: elements.count, by: Self.chunkSize) {
      chunks.append(Array(elements[start..<Swift.min(start + Self.chunkSize, elements.count)]))
    }
  }

  /// The place must be that of an element.
  subscript(place: Int) -> Element {
    get { chunks[place / Self.chunkSize][place % Self.chunkSize] }
    set { chunks[place / Self.chunkSize][place % Self.chunkSize] = newValue }
  }
}

extension SharedArray: RandomAccessCollection {
  var startIndex: Int { 0 }
  var endIndex: Int { count }
}
