import NIOCore

/// Writes a head into memory of a known size; what does not fit is only counted, so that the caller can make room.
struct ByteWriter {
  private let base: UnsafeMutableRawPointer?
  private let capacity: Int
  /// Bytes written so far, those that did not fit included.
  private(set) var count = 0

  init(_ target: UnsafeMutableRawBufferPointer) {
    base = target.baseAddress
    capacity = target.count
  }

  @inline(__always)
  mutating func bytes(_ bytes: UnsafeRawBufferPointer) {
    if let base, let source = bytes.baseAddress, count + bytes.count <= capacity {
      (base + count).copyMemory(from: source, byteCount: bytes.count)
    }
    count += bytes.count
  }

  @inline(__always)
  mutating func text(_ text: StaticString) {
    bytes(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  @inline(__always)
  mutating func string(_ string: String) {
    var string = string
    string.withUTF8 { bytes(UnsafeRawBufferPointer($0)) }
  }

  @inline(__always)
  mutating func array(_ array: [UInt8]) { array.withUnsafeBytes { bytes($0) } }

  mutating func decimal(_ value: Int) {
    if value >= 0, value < 10 {
      byte(UInt8(ascii: "0") + UInt8(value))
      return
    }
    withUnsafeTemporaryAllocation(byteCount: 20, alignment: 1) { digits in
      var rest = value.magnitude
      var start = 20
      repeat {
        start -= 1
        digits[start] = UInt8(ascii: "0") + UInt8(rest % 10)
        rest /= 10
      } while rest > 0
      if value < 0 { byte(UInt8(ascii: "-")) }
      bytes(UnsafeRawBufferPointer(rebasing: digits[start...]))
    }
  }

  /// The bytes with ASCII capitals made small.
  mutating func lowercased(_ bytes: UnsafeRawBufferPointer) {
    let start = count
    self.bytes(bytes)
    guard let base, count <= capacity else { return }
    for place in start..<count {
      let byte = base.load(fromByteOffset: place, as: UInt8.self)
      if byte >= UInt8(ascii: "A"), byte <= UInt8(ascii: "Z") {
        base.storeBytes(of: byte | 0x20, toByteOffset: place, as: UInt8.self)
      }
    }
  }

  @inline(__always)
  mutating func byte(_ byte: UInt8) {
    if let base, count < capacity { (base + count).storeBytes(of: byte, as: UInt8.self) }
    count += 1
  }

  /// A whole field with its CRLF.
  @inline(__always)
  mutating func field(_ name: StaticString, _ value: String) {
    text(name)
    text(": ")
    string(value)
    text("\r\n")
  }

  @inline(__always)
  mutating func field(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) {
    bytes(name)
    text(": ")
    bytes(value)
    text("\r\n")
  }
}

extension ByteBuffer {
  /// Appends what `body` writes. `body` runs again with more room when `estimate` was too small.
  mutating func write(estimate: Int, _ body: (inout ByteWriter) -> Void) {
    var room = estimate
    while true {
      var missing = false
      writeWithUnsafeMutableBytes(minimumWritableBytes: room) { target in
        var writer = ByteWriter(target)
        body(&writer)
        missing = writer.count > target.count
        room = writer.count
        return missing ? 0 : writer.count
      }
      if !missing { return }
    }
  }
}
