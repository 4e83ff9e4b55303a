import EntityModel
import Testing

@testable import Storage

@Suite("Members of consumer groups in declarative files") struct MembershipFileTests {
  let loader = DeclarativeLoader(rules: testRules)

  /// Pairs `consumer in group` of a snapshot.
  private func memberships(_ text: String) throws -> [String] {
    let snapshot = try loader.load("_format_version: '3.0'\n" + text)
    func names(_ collection: String, _ field: String) -> [JSONValue: String] {
      Dictionary(
        snapshot[collection].map { ($0["id"] ?? .null, $0[field]?.string ?? "") }, uniquingKeysWith: { $1 })
    }
    let consumers = names("consumers", "username")
    let groups = names("consumer_groups", "name")
    return snapshot["consumer_group_consumers"].map { row in
      "\(consumers[row["consumer"]?["id"] ?? .null] ?? "?") in \(groups[row["consumer_group"]?["id"] ?? .null] ?? "?")"
    }.sorted()
  }

  @Test(
    "every form means the same",
    arguments: [
      "consumers: [{username: amal, groups: [{name: gold}, {name: silver}]}]",
      "consumers: [{username: amal, consumer_groups: [gold, silver]}]",
      "consumers: [{username: amal, consumer_group_consumers: [{consumer_group: gold}, {consumer_group: silver}]}]",
      "consumers: [{username: amal}]\nconsumer_group_consumers: [{consumer: amal, consumer_group: gold}, "
        + "{consumer: {username: amal}, consumer_group: {name: silver}}]",
    ])
  func forms(_ text: String) throws {
    let all = text + "\nconsumer_groups: [{name: gold}, {name: silver}]\n"
    #expect(try memberships(all) == ["amal in gold", "amal in silver"])
  }

  @Test("groups may name their consumers, and have plugins of their own")
  func fromGroup() throws {
    let text = """
      _format_version: "3.0"
      consumer_groups:
      - name: gold
        consumers: [amal, {username: bea}]
        consumer_group_consumers: [{consumer: carl}]
        plugins: [{name: file-log}]
      consumers: [{username: amal}, {username: bea}, {username: carl}]
      """
    let snapshot = try loader.load(text)
    #expect(snapshot["consumer_group_consumers"].count == 3)
    #expect(snapshot["plugins"].first?["consumer_group"]?["id"] == snapshot["consumer_groups"].first?["id"])
    // The same file makes the same ids.
    #expect(
      try loader.load(text)["consumer_group_consumers"].map(\.id) == snapshot["consumer_group_consumers"].map(\.id))
    let again = try loader.load(DeclarativeExport.text(of: snapshot))
    #expect(again.entities == snapshot.entities)
  }

  @Test("a group that is not there, an unknown member of the entry, and a double membership are refused at their place")
  func refusals() throws {
    func fields(_ text: String) -> [String: JSONValue] {
      do {
        _ = try loader.load("_format_version: '3.0'\n" + text)
        return [:]
      } catch {
        return error.fields
      }
    }
    #expect(fields("consumers: [{username: amal, groups: [{name: none}]}]")["consumer_group_consumers"] != nil)
    let unknown = fields(
      "consumer_groups: [{name: gold}]\nconsumers: [{username: a, groups: [{name: gold, weight: 1}]}]")
    #expect(unknown == ["consumers": [["groups": [["weight": "unknown field"]]]]])
    #expect(
      fields("consumer_groups: [{name: gold, consumers: [a]}]\nconsumers: [{username: a, groups: [gold]}]") != [:])
    #expect(fields("consumer_groups: [{name: gold, consumers: a}]") != [:])
    #expect(fields("consumer_groups: [{name: gold, consumers: [7]}]") != [:])
  }
}
