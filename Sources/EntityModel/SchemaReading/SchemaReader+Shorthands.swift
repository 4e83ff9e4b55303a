extension SchemaReader {
  /// Reads the other names that fields go by.
  ///
  /// Kong's shorthands have a function that makes fields of the value. Without one, a shorthand stands for the fields
  /// that `deprecation.replaced_with` or `translate_backwards` names, each of which gets the value as it is.
  mutating func readShorthands(
    _ tree: SchemaTree?, at path: String, scope: CheckScope, depth: Int
  ) -> [ShorthandField] {
    guard let tree else { return [] }
    guard let items = tree.sequence else {
      report(path, "expected an array")
      return []
    }
    var shorthands: [ShorthandField] = []
    for (index, item) in items.enumerated() {
      guard case .table(let entries) = item, entries.count == 1, case .name(let name) = entries[0].key else {
        report("\(path).\(index + 1)", "length must be 1 (each entry declares exactly one shorthand)")
        continue
      }
      let path = "\(path).\(name)"
      if scope.fields.contains(where: { $0.name == name }) || shorthands.contains(where: { $0.name == name }) {
        report(path, "there is a field of this name already")
        continue
      }
      if let shorthand = readShorthand(name, entries[0].value, at: path, scope: scope, depth: depth) {
        shorthands.append(shorthand)
      }
    }
    return shorthands
  }

  private mutating func readShorthand(
    _ name: String, _ tree: SchemaTree, at path: String, scope: CheckScope, depth: Int
  ) -> ShorthandField? {
    if tree["func"] != nil { report("\(path).func", "expected a function") }
    if let type = tree["type"]?.string, type == "record" || type == "foreign" {
      report(path, "a shorthand cannot be of type '\(type)'")
      return nil
    }
    let backwards = tree["translate_backwards"].map { readStrings($0, at: "\(path).translate_backwards") }
    guard let field = readField(tree.without(["func", "translate_backwards"]), at: path, name: name, depth: depth + 1)
    else { return nil }
    var targets = field.deprecation?.replacedWith ?? []
    if targets.isEmpty, let backwards = backwards ?? nil { targets = [backwards] }
    guard !targets.isEmpty else {
      if backwards == nil {
        report(
          path, "it does not say which field it stands for; name it by 'translate_backwards' or by "
            + "'deprecation.replaced_with'")
      }
      return nil
    }
    for target in targets + [backwards ?? nil].compactMap(\.self) {
      let target = target.joined(separator: ".")
      guard let declared = scope.field(at: target) else {
        report(path, "there is no field '\(target.prefix(100))' in this schema")
        return nil
      }
      if let declared, declared.kind.luaName != field.kind.luaName {
        report(path, "it is of type '\(field.kind.luaName)', but '\(target)' is of type '\(declared.kind.luaName)'")
        return nil
      }
    }
    return ShorthandField(name: name, schema: field, standingFor: targets, translateBackwards: backwards ?? nil)
  }

  /// Reads the groups of fields that belong together; without functions that is all there is to them.
  mutating func readTransformations(_ tree: SchemaTree?, at path: String, scope: CheckScope) -> [Transformation] {
    guard let tree else { return [] }
    guard let items = tree.sequence else {
      report(path, "expected an array")
      return []
    }
    var transformations: [Transformation] = []
    for (index, item) in items.enumerated() {
      let path = "\(path).\(index + 1)"
      guard item.isTable else {
        report(path, "expected a record")
        continue
      }
      for (name, _) in item.namedEntries where name != "input" && name != "needs" {
        report("\(path).\(name)", name == "on_write" || name == "on_read" ? "expected a function" : "unknown field")
      }
      let needs = item["needs"].map { readNames($0, at: "\(path).needs", scope: scope) ?? [] }
      guard let input = readNames(item["input"], at: "\(path).input", scope: scope) else { continue }
      transformations.append(Transformation(input: input, needs: needs ?? []))
    }
    return transformations
  }

  /// Reads the JSON schema of a field, which must stand in the plugin's schema itself.
  mutating func readJSONSchema(_ tree: SchemaTree?, at path: String) -> JSONSchema? {
    guard let tree else { return nil }
    guard tree.isTable else {
      report(path, "expected a record")
      return nil
    }
    for (name, _) in tree.namedEntries where name != "inline" {
      report(
        "\(path).\(name)",
        ["namespace", "parent_subschema_key", "optional", "default"].contains(name)
          ? "schemas by their namespace belong to Wasm filters; give the schema as 'inline'" : "unknown field")
    }
    guard let inline = tree["inline"] else {
      report("\(path).inline", "required field missing")
      return nil
    }
    guard let document = inline.json(emptyIsObject: true) else {
      report("\(path).inline", "expected plain data")
      return nil
    }
    do throws(JSONSchema.Refusal) {
      return try JSONSchema(document)
    } catch {
      report("\(path).inline" + (error.path.isEmpty ? "" : ".\(error.path)"), error.message)
      return nil
    }
  }
}

extension SchemaTree {
  /// The table without some of its named members.
  fileprivate func without(_ names: Set<String>) -> SchemaTree {
    guard case .table(let entries) = self else { return self }
    return .table(entries.filter { if case .name(let name) = $0.key { !names.contains(name) } else { true } })
  }
}
