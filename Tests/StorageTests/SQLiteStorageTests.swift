import EntityModel
import Foundation
import GRDB
import Testing

@testable import Storage

@Suite struct SQLiteStorageTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func open(_ kinds: [EntityDefinition] = EntityStore.kinds) throws -> SQLiteStorage {
    try SQLiteStorage(path: directory.file("sluice.db"), kinds: kinds)
  }

  private func startError(_ body: () throws -> SQLiteStorage) -> StorageOpenError? {
    do {
      _ = try body()
      return nil
    } catch {
      return error as? StorageOpenError
    }
  }

  @Test("commits are synchronous, constraints are on, and only the owner may read the file")
  func durability() throws {
    let storage = try open()
    let settings = try storage.pool.writeWithoutTransaction { database in
      try ["synchronous", "foreign_keys"].map { try Int.fetchOne(database, sql: "PRAGMA \($0)") }
    }
    #expect(settings == [2, 1])
    let mode = try storage.pool.read { try String.fetchOne($0, sql: "PRAGMA journal_mode") }
    #expect(mode == "wal")
    let attributes = try FileManager.default.attributesOfItem(atPath: storage.path)
    #expect(attributes[.posixPermissions] as? Int == 0o600)
  }

  @Test("what was written is there after the file is opened again")
  func reopening() async throws {
    let storage = try open()
    let store = EntityStore(backend: storage, rules: testRules)
    let service = try await store.insert(["name": "a", "host": "h", "tags": ["t"]], into: .services)
    let before = try await store.snapshot()
    let cluster = try await store.clusterID()
    try storage.close()
    let again = EntityStore(backend: try open(), rules: testRules)
    #expect(try await again.select(.id(service.id), from: .services) == service)
    #expect(try await again.snapshot() == before)
    #expect(try await again.clusterID() == cluster)
  }

  @Test("what was answered is in the files at once, whether or not the process ends in order")
  func acknowledgedWrites() async throws {
    let storage = try open()
    let store = EntityStore(backend: storage, rules: testRules)
    for index in 0..<5 {
      let service = try await store.insert(["name": .string("s\(index)"), "host": "h"], into: .services)
      // What a killed process leaves behind: the files as they are, with nothing closed.
      let copy = directory.file("copy-\(index).db")
      for suffix in ["", "-wal"] {
        try FileManager.default.copyItem(atPath: storage.path + suffix, toPath: copy + suffix)
      }
      let recovered = EntityStore(
        backend: try SQLiteStorage(path: copy, kinds: EntityStore.kinds), rules: testRules)
      #expect(try await recovered.select(.id(service.id), from: .services) == service)
      #expect(try await recovered.page(PageRequest(), of: .services).entities.count == index + 1)
    }
  }

  @Test("an entity and a column that a later version declares are added to an existing file")
  func reconciliation() async throws {
    var old = EntityDefinition.consumers
    old.schema.fields.removeAll { $0.name == "custom_id" }
    old.schema.entityChecks = []
    let declared = old
    let first = try open([declared])
    try await first.write { transaction throws(EntityError) in
      try transaction.insert(["id": "1", "username": "u", "custom_id": "c", "tags": .null], into: declared)
    }
    try first.close()
    let second = try open()
    let found = try await second.read { reader throws(EntityError) in
      try reader.rows(where: ["custom_id": "c"], of: .consumers, limit: nil)
    }
    #expect(found.count == 1)
    let store = EntityStore(backend: second, rules: testRules)
    let taken = await refusal { try await store.insert(["custom_id": "c"], into: .consumers) }
    #expect(taken?.code == .uniqueViolation)
  }

  @Test("the database itself refuses what slips past the checks")
  func lastLine() async throws {
    let storage = try open()
    let none: JSONValue = ["id": "99999999-9999-4999-8999-999999999999"]
    let dangling = await refusal {
      try await storage.write { transaction throws(EntityError) in
        try transaction.insert(["id": "1", "service": none], into: .routes)
      }
    }
    #expect(dangling?.code == .foreignKeyViolation)
    let twice = await refusal {
      try await storage.write { transaction throws(EntityError) in
        try transaction.insert(["id": "1", "name": "key-auth"], into: .plugins)
        try transaction.insert(["id": "2", "name": "key-auth"], into: .plugins)
      }
    }
    #expect(twice?.code == .uniqueViolation)
    let left = try await storage.read { reader throws(EntityError) in try reader.count(where: [:], of: .plugins) }
    #expect(left == 0)
  }

  @Test("a file that is no database, a newer file and a missing directory are start errors that say so")
  func startErrors() throws {
    let path = directory.file("sluice.db")
    try Data(repeating: 0x41, count: 8192).write(to: URL(fileURLWithPath: path))
    let damaged = startError { try open() }
    #expect(damaged?.description.contains("'\(path)'") == true)
    #expect(damaged?.description.contains("damaged or not a database") == true)
    try FileManager.default.removeItem(atPath: path)
    do {
      let storage = try open()
      try storage.pool.write { database in
        try database.execute(sql: "INSERT INTO grdb_migrations (identifier) VALUES ('99 later')")
      }
      try storage.close()
    }
    let newer = startError { try open() }
    #expect(newer?.description.contains("newer version") == true)
    let missing = startError { try SQLiteStorage(path: directory.file("none/sluice.db"), kinds: EntityStore.kinds) }
    #expect(missing?.description.contains("cannot be opened") == true)
  }

  @Test("a damaged row and a closed store are database errors, never a crash")
  func damage() async throws {
    let storage = try open()
    let store = EntityStore(backend: storage, rules: testRules)
    let service = try await store.insert(["host": "h"], into: .services)
    try await storage.pool.write { database in try database.execute(sql: "UPDATE services SET body = '{'") }
    let damaged = await refusal { try await store.select(.id(service.id), from: .services) }
    #expect(damaged?.code == .databaseError)
    #expect(damaged?.message.contains(service.id) == true)
    try storage.close()
    let closed = await refusal { try await store.snapshot() }
    #expect(closed?.code == .databaseError)
  }

  @Test("a file that another process keeps locked is a database error that says so")
  func locked() async throws {
    let storage = try SQLiteStorage(path: directory.file("sluice.db"), kinds: EntityStore.kinds, busyTimeout: 0.01)
    let store = EntityStore(backend: storage, rules: testRules)
    var configuration = Configuration()
    configuration.allowsUnsafeTransactions = true
    let other = try DatabaseQueue(path: storage.path, configuration: configuration)
    try await other.writeWithoutTransaction { try $0.execute(sql: "BEGIN IMMEDIATE") }
    let refused = await refusal { try await store.insert(["host": "h"], into: .services) }
    #expect(refused?.code == .databaseError)
    #expect(refused?.message.contains("another process holds the file locked") == true)
    try await other.writeWithoutTransaction { try $0.execute(sql: "ROLLBACK") }
    _ = try await store.insert(["host": "h"], into: .services)
  }

  @Test("a data plane's row is updated, listed with its remaining time, and purged")
  func dataPlanes() async throws {
    let storage = try open()
    let id = "11111111-abcd-4111-8111-111111111111"
    let early = DataPlaneStore(backend: storage, purgeDelay: 100, now: { 1000 })
    try await early.upsert(
      id: id,
      ["hostname": "dp", "ip": "127.0.0.1", "version": "3.15.0.0", "last_seen": 1000, "sync_status": "normal"])
    let hash = String(repeating: "a", count: 32)
    try await early.upsert(id: id, ["config_hash": .string(hash)])
    let row = try #require(try await early.page(PageRequest()).entities.first)
    #expect(row["hostname"] == "dp")
    #expect(row["config_hash"] == .string(hash))
    #expect(row["ttl"] == 100)
    #expect(try await early.purge() == 0)
    let late = DataPlaneStore(backend: storage, purgeDelay: 100, now: { 1100 })
    #expect(try await late.page(PageRequest()).entities.isEmpty)
    #expect(try await late.purge() == 1)
    #expect(try await late.select(id: id) == nil)
    let store = EntityStore(backend: storage, rules: testRules)
    #expect(try await store.snapshot()["clustering_data_planes"].isEmpty)
  }
}
