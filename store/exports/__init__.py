"""Handing data on, in the forms that other tools read. ``store.exports.formats`` lists them."""
