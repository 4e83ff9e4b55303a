import EntityModel

/// A configuration as the text of a declarative file. Source: Kong fact, declarative §4.
public enum DeclarativeExport {
  /// YAML with flat lists, all fields, foreign fields as ids, and keys in order, so that equal configurations give equal
  /// texts. Loading it again gives the same configuration.
  public static func text(of snapshot: ConfigSnapshot) -> String {
    var output = "_format_version: '3.0'\n_transform: false\n"
    for kind in EntityCatalogue.all where kind.isExported && !snapshot[kind.name].isEmpty {
      output += "\(kind.name):\n"
      for row in snapshot[kind.name] {
        write(HybridPayload.flattened(row, of: kind), into: &output)
      }
    }
    return output
  }

  /// One entity: a field a line, each value in JSON, which is YAML too.
  private static func write(_ row: EntityFields, into output: inout String) {
    var lead = "- "
    for name in row.keys.sorted() {
      output += lead + name + ": " + escaped((row[name] ?? .null).serializedString) + "\n"
      lead = "  "
    }
  }

  /// JSON allows characters that YAML does not; they can stand only inside strings, where both know `\u`.
  private static func escaped(_ json: String) -> String {
    func isForbidden(_ scalar: Unicode.Scalar) -> Bool {
      (0x7F...0x9F).contains(scalar.value) || scalar.value == 0xFEFF || scalar.value == 0xFFFE || scalar.value == 0xFFFF
    }
    guard json.unicodeScalars.contains(where: isForbidden) else { return json }
    var output = ""
    for scalar in json.unicodeScalars {
      if isForbidden(scalar) {
        let digits = String(scalar.value, radix: 16)
        output += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      } else {
        output.unicodeScalars.append(scalar)
      }
    }
    return output
  }
}
