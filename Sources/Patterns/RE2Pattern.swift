import CRegex

/// A compiled regular expression of linear run time (RE2).
///
/// Speaks the syntax that Kong's users write (Rust regex, the common part of PCRE) as far as RE2 knows it; look-around
/// and back-references are refused. Text is bytes, taken as UTF-8; a byte that is not valid UTF-8 matches nothing.
/// Usable from any thread.
public final class RE2Pattern: Sendable {
  /// Where a match may lie.
  public enum Anchor: Sendable {
    case anywhere
    case atStart
    case whole
  }

  public struct Options: Sendable, Hashable {
    public var isCaseInsensitive: Bool
    public var dotMatchesNewline: Bool
    /// Bound of program and caches in bytes; nil is RE2's own (8 MiB).
    public var maximumMemory: Int?

    public init(isCaseInsensitive: Bool = false, dotMatchesNewline: Bool = false, maximumMemory: Int? = nil) {
      self.isCaseInsensitive = isCaseInsensitive
      self.dotMatchesNewline = dotMatchesNewline
      self.maximumMemory = maximumMemory
    }
  }

  /// A group with a name and its number (from 1).
  public struct NamedGroup: Sendable, Hashable {
    public let name: String
    public let index: Int
  }

  /// The pattern as written.
  public let source: String
  /// Capturing groups, the whole match not counted.
  public let groupCount: Int
  /// In the order of their numbers.
  public let namedGroups: [NamedGroup]

  // Sound: set once, freed only in deinit, and RE2 allows concurrent matching on one compiled pattern.
  private nonisolated(unsafe) let handle: OpaquePointer

  public init(_ source: String, options: Options = Options()) throws(PatternError) {
    var flags: UInt32 = 0
    if options.isCaseInsensitive { flags |= UInt32(SLUICE_RE2_CASE_INSENSITIVE) }
    if options.dotMatchesNewline { flags |= UInt32(SLUICE_RE2_DOT_MATCHES_NEWLINE) }
    let translated = PatternSyntax.re2Form(of: Array(source.utf8))
    let memory = Int64(options.maximumMemory ?? 0)
    var handle: OpaquePointer?
    let reason = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 512) { error in
      handle = translated.withUnsafeBytes { bytes in
        sluice_re2_compile(
          bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count, flags, memory, error.baseAddress,
          error.count)
      }
      guard handle == nil else { return "" }
      let text = error.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
      return String(decoding: text, as: UTF8.self)
    }
    guard let handle else { throw PatternError(pattern: source, reason: reason) }
    self.handle = handle
    self.source = source
    groupCount = sluice_re2_group_count(handle)
    var names: [NamedGroup] = []
    for index in 0..<groupCount {
      if let name = sluice_re2_group_name(handle, index + 1) {
        names.append(NamedGroup(name: String(cString: name), index: index + 1))
      }
    }
    namedGroups = names
  }

  deinit { sluice_re2_free(handle) }

  // MARK: Matching

  public func matches(_ text: UnsafeRawBufferPointer, anchor: Anchor = .anywhere) -> Bool {
    run(text, anchor, nil, 0)
  }

  public func matches(_ text: String, anchor: Anchor = .anywhere) -> Bool {
    var text = text
    return text.withUTF8 { matches(UnsafeRawBufferPointer($0), anchor: anchor) }
  }

  /// Length of the match at the very start of the text, nil without one. Does not allocate.
  public func matchLength(atStartOf text: UnsafeRawBufferPointer) -> Int? {
    var span = sluice_re2_span(start: -1, end: -1)
    guard run(text, .atStart, &span, 1) else { return nil }
    return span.end
  }

  /// Byte ranges of the whole match and of each group (nil for one that took no part); nil without a match.
  public func captures(in text: UnsafeRawBufferPointer, anchor: Anchor = .anywhere) -> [Range<Int>?]? {
    withUnsafeTemporaryAllocation(of: sluice_re2_span.self, capacity: groupCount + 1) { spans in
      guard run(text, anchor, spans.baseAddress, spans.count) else { return nil }
      return spans.map { $0.start < 0 ? nil : $0.start..<$0.end }
    }
  }

  /// The whole match and each group as text (nil for one that took no part); nil without a match.
  public func captures(in text: String, anchor: Anchor = .anywhere) -> [String?]? {
    var text = text
    return text.withUTF8 { bytes in
      let raw = UnsafeRawBufferPointer(bytes)
      return captures(in: raw, anchor: anchor)?.map { range in range.map { String(decoding: raw[$0], as: UTF8.self) } }
    }
  }

  private func run(
    _ text: UnsafeRawBufferPointer, _ anchor: Anchor, _ spans: UnsafeMutablePointer<sluice_re2_span>?, _ count: Int
  ) -> Bool {
    let place =
      switch anchor {
      case .anywhere: SLUICE_RE2_ANYWHERE
      case .atStart: SLUICE_RE2_AT_START
      case .whole: SLUICE_RE2_WHOLE
      }
    let start = text.baseAddress?.assumingMemoryBound(to: CChar.self)
    return sluice_re2_match(handle, start, text.count, Int32(place), spans, count) == 1
  }
}

/// Why a regular expression was refused.
public struct PatternError: Error, Sendable, Hashable, CustomStringConvertible {
  public let pattern: String
  /// RE2's words, for example `missing ): (a`.
  public let reason: String

  public var description: String { "not a valid regex: \(pattern) (\(reason))" }
}
