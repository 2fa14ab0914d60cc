"""What is wrong with a task package, found before its release."""
