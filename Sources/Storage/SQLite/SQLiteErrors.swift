import EntityModel
import GRDB

/// What SQLite reports, in words for the log and in the terms of the Admin API.
enum SQLiteErrors {
  static func entityError(_ error: any Error, path: String) -> EntityError {
    if let error = error as? EntityError { return error }
    guard let failure = error as? DatabaseError else {
      return EntityError(code: .databaseError, message: "the store '\(path)' failed: \(explanation(error))")
    }
    switch failure.extendedResultCode {
    case .SQLITE_CONSTRAINT_UNIQUE:
      // Asked before every write, so only another process that writes the same file leads here.
      return EntityError(
        code: .uniqueViolation,
        message: "UNIQUE violation detected on '\(failure.message ?? "")'")
    case .SQLITE_CONSTRAINT_PRIMARYKEY:
      return EntityError(code: .primaryKeyViolation, message: "primary key violation")
    case .SQLITE_CONSTRAINT_FOREIGNKEY, .SQLITE_CONSTRAINT_TRIGGER:
      return EntityError(
        code: .foreignKeyViolation, message: "an entity that other entities refer to cannot be deleted")
    default:
      return EntityError(code: .databaseError, message: "the store '\(path)' failed: \(explanation(error))")
    }
  }

  /// What is wrong and how to mend it.
  static func explanation(_ error: any Error) -> String {
    guard let failure = error as? DatabaseError else {
      return error is CancellationError ? "the caller went away before the transaction ended" : "\(error)"
    }
    let detail = failure.message.map { " (\($0))" } ?? ""
    switch failure.resultCode {
    case .SQLITE_CORRUPT, .SQLITE_NOTADB:
      return "the file is damaged or not a database\(detail); move it away, or restore a backup"
    case .SQLITE_FULL:
      return "the disk is full\(detail); free some space"
    case .SQLITE_BUSY, .SQLITE_LOCKED:
      return "another process holds the file locked\(detail); stop it, or give this process another prefix"
    case .SQLITE_CANTOPEN:
      return "the file cannot be opened\(detail); its directory must exist and be writable"
    case .SQLITE_READONLY, .SQLITE_PERM:
      return "the file may not be written\(detail); check its owner and permissions"
    case .SQLITE_IOERR:
      return "the disk reports an error\(detail)"
    default:
      return "SQLite error \(failure.extendedResultCode.rawValue)\(detail)"
    }
  }
}
