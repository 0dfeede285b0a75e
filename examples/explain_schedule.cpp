// Which schedule a call would use, why, and what it looks like; and the proof that it is right.
// One process is enough: a schedule is plain data.

#include <rondo/rondo.hpp>

#include <iostream>

int main() try {
  // Four communicators inside this process. A program with threads would hand out one to each.
  std::vector<rondo::Communicator> world = rondo::Communicator::local(4);
  std::cout << world[0].explain(rondo::Collective::allreduce, 1'000'000, rondo::DType::f32);

  // The same, made by hand.
  const rondo::Plan plan{
      .algorithm = rondo::Algorithm::ring, .collective = rondo::Collective::allreduce, .ranks = 4};
  const rondo::Result<rondo::Schedule> schedule = rondo::make_schedule(plan);
  if (!schedule) throw schedule.error();
  const rondo::Result<rondo::Proof> proof = rondo::verify(schedule.value());
  if (!proof) throw proof.error();
  std::cout << "\nproved: " << proof.value().rounds << " rounds, at most " << proof.value().max_sent
            << " segments sent by a rank, of " << proof.value().segments << "\n";
} catch (const rondo::Error& error) {
  std::cerr << "explain_schedule: " << error.what() << "\n";
  return 1;
}
