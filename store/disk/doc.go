// Package disk keeps the files of a data folder: it takes bodies in, makes them durable under their digest, and gives
// them back. It knows no record: which blobs are wanted, by whom, and what they mean is the business of package store,
// the only one that imports it.
//
// A [Folder] is the data folder. Everything that changes it goes through the steps of durable.go, each of which has a
// name and can be made to fail by a test (see [Faults]). A [Stage] is a body of one request, an [Upload] a body that
// comes in several. Both end in a [Sink]: a file of uploads/ whose bytes are hashed as they pass, which store syncs,
// moves under its digest, and then records.
//
//	folder.go   a data folder, its layout           durable.go   every system call that writes
//	dirsync.go  shared fsyncs of folders            space.go     free space and the reserve
//	blob.go     blobs by digest, orphans            stage.go     a body of one request
//	sink.go     bytes on their way into a file      pipeline.go  hashing beside the writing
//	buffers.go  the memory of all streams           sums.go      the sums computed on the way
//	upload.go   resumable uploads, one request      session.go   and between requests
//	uploadid.go what their ids are made of          errors.go    the errors
package disk
