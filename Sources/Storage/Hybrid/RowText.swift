/// Finds the objects in the text of a list without reading them.
enum RowText {
  /// Where each object lies in text that consists of objects separated by commas, a comma before the first allowed; nil
  /// for any other text. What is between the braces of an object is not judged.
  static func places(in text: [UInt8]) -> [Range<Int>]? {
    text.withUnsafeBufferPointer { bytes in places(in: bytes) }
  }

  private static func places(in bytes: UnsafeBufferPointer<UInt8>) -> [Range<Int>]? {
    var places: [Range<Int>] = []
    var position = 0
    var isComma = true
    while position < bytes.count {
      switch bytes[position] {
      case 0x20, 0x09, 0x0A, 0x0D: position += 1
      case UInt8(ascii: ","):
        guard !isComma || places.isEmpty && position == firstPlace(in: bytes) else { return nil }
        isComma = true
        position += 1
      case UInt8(ascii: "{"):
        guard isComma, let end = end(ofObjectAt: position, in: bytes) else { return nil }
        places.append(position..<end)
        isComma = false
        position = end
      default: return nil
      }
    }
    return isComma && !places.isEmpty ? nil : places
  }

  private static func firstPlace(in bytes: UnsafeBufferPointer<UInt8>) -> Int? {
    bytes.firstIndex { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }
  }

  private static func end(ofObjectAt start: Int, in bytes: UnsafeBufferPointer<UInt8>) -> Int? {
    var depth = 0
    var position = start
    while position < bytes.count {
      switch bytes[position] {
      case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        depth -= 1
        if depth == 0 { return position + 1 }
      case UInt8(ascii: "\""):
        position += 1
        while position < bytes.count, bytes[position] != UInt8(ascii: "\"") {
          position += bytes[position] == UInt8(ascii: "\\") ? 2 : 1
        }
      default: break
      }
      position += 1
    }
    return nil
  }
}
