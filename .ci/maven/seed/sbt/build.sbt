organization := "larder.seed"
name := "lib"
version := "1.0"
autoScalaLibrary := false
crossPaths := false
publishTo := Some("there" at s"${baseDirectory.value.toURI}there")
