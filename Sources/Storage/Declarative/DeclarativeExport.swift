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
      output += lead + name + ": " + (row[name] ?? .null).serializedString + "\n"
      lead = "  "
    }
  }
}
